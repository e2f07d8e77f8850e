/* How the rate follows the cost. */
#include "tests/harness.h"

#include "profiler/collector/governor.h"

enum { PERIOD_NS = 1000000, STEP_NS = 100000000 };

/* A program on one processor whose every sample costs `each_ns`. */
static void run(
    struct prof_governor *governor, uint64_t each_ns, uint64_t seconds,
    uint64_t *now_ns)
{
    for (uint64_t i = 0; i < seconds * 10; i++) {
        *now_ns += STEP_NS;
        (void)prof_governor_feed(
            governor, STEP_NS / governor->period_ns * each_ns, STEP_NS,
            *now_ns);
    }
}

static struct prof_governor governor_of(double limit)
{
    struct prof_governor governor;
    prof_governor_init(&governor, limit, PERIOD_NS);
    return governor;
}

TEST(governor_leaves_a_rate_alone_that_costs_less_than_the_limit)
{
    struct prof_governor governor = governor_of(0.03);
    uint64_t now_ns = 1;
    run(&governor, 25000, 60, &now_ns);
    CHECK_EQ(governor.period_ns, PERIOD_NS);
    CHECK(governor.worst == 0);
}

TEST(governor_lowers_a_rate_that_costs_too_much)
{
    struct prof_governor governor = governor_of(0.03);
    uint64_t now_ns = 1;
    run(&governor, 300000, 1, &now_ns); /* 30 % */
    CHECK(governor.period_ns >= 10 * PERIOD_NS);
    CHECK(governor.period_ns <= 13 * PERIOD_NS);
    CHECK(governor.worst > 0.29);
    run(&governor, 300000, 10, &now_ns);
    CHECK(governor.settled > 0 && governor.settled <= 0.03);
}

TEST(governor_tells_no_cost_of_a_rate_that_is_new)
{
    struct prof_governor governor = governor_of(0.03);
    uint64_t now_ns = 1;
    run(&governor, 20000, 2, &now_ns);
    CHECK(governor.settled > 0.019 && governor.settled < 0.021);
    while (governor.period_ns == PERIOD_NS)
        (void)prof_governor_feed(
            &governor, STEP_NS / 2, STEP_NS, now_ns += STEP_NS);
    CHECK(governor.settled == 0);
}

TEST(governor_waits_a_second_before_it_minds_a_mild_excess)
{
    struct prof_governor governor = governor_of(0.03);
    uint64_t now_ns = 1;
    for (int i = 0; i < 5; i++)
        (void)prof_governor_feed(
            &governor, STEP_NS / 25, STEP_NS, now_ns += STEP_NS);
    CHECK_EQ(governor.period_ns, PERIOD_NS);
    run(&governor, 40000, 2, &now_ns);
    CHECK(governor.period_ns > PERIOD_NS);
}

TEST(governor_raises_the_rate_again_and_never_beyond_what_was_asked)
{
    struct prof_governor governor = governor_of(0.03);
    uint64_t now_ns = 1;
    run(&governor, 300000, 2, &now_ns);
    CHECK(governor.period_ns > 5 * PERIOD_NS);
    run(&governor, 5000, 20, &now_ns);
    CHECK_EQ(governor.period_ns, PERIOD_NS);
    CHECK(governor.longest_ns > 5 * PERIOD_NS);
}

TEST(governor_does_not_swing)
{
    struct prof_governor governor = governor_of(0.03);
    uint64_t now_ns = 1, changes = 0;
    run(&governor, 100000, 3, &now_ns);
    for (int i = 0; i < 600; i++) {
        now_ns += STEP_NS;
        changes += prof_governor_feed(
            &governor, STEP_NS / governor.period_ns * 100000, STEP_NS, now_ns);
    }
    CHECK(changes <= 1);
}

TEST(governor_without_a_limit_bears_much)
{
    struct prof_governor governor = governor_of(1);
    uint64_t now_ns = 1;
    run(&governor, 850000, 10, &now_ns);
    CHECK_EQ(governor.period_ns, PERIOD_NS);
}

/* What a sample costs shows only once there is room for it. */
TEST(governor_without_a_limit_lets_the_program_get_on)
{
    struct prof_governor governor = governor_of(1);
    uint64_t now_ns = 1;
    run(&governor, 6 * PERIOD_NS, 1, &now_ns);
    CHECK(governor.period_ns > 6 * PERIOD_NS);
    run(&governor, 6 * PERIOD_NS, 10, &now_ns);
    CHECK(governor.settled > 0.5 && governor.settled < 0.9);
}

TEST(governor_is_not_misled_by_a_cost_beyond_the_time_used)
{
    struct prof_governor governor = governor_of(0.03);
    (void)prof_governor_feed(&governor, 0, STEP_NS, STEP_NS);
    (void)prof_governor_feed(&governor, UINT64_MAX / 2, STEP_NS, 3 * STEP_NS);
    CHECK(governor.period_ns < 100 * PERIOD_NS);
}
