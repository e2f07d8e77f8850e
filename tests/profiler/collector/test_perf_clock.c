/* The period and its jitter; the rest is in tests/e2e/test_clock*.py. */
#include "tests/harness.h"

#include "profiler/collector/perf_clock.h"

enum { PERIOD_NS = 1000000, DRAWS = 10000 };

TEST(perf_clock_draws_a_period_that_is_shorter_by_less_than_a_percent)
{
    int64_t least_ns = PERIOD_NS, most_ns = 0;
    for (int i = 0; i < DRAWS; i++) {
        int64_t period_ns = (int64_t)prof_perf_clock_draw_ns(PERIOD_NS);
        CHECK(PERIOD_NS - period_ns >= PERIOD_NS / 500);
        CHECK(PERIOD_NS - period_ns <= PERIOD_NS / 100);
        least_ns = period_ns < least_ns ? period_ns : least_ns;
        most_ns = period_ns > most_ns ? period_ns : most_ns;
    }
    CHECK(most_ns - least_ns > PERIOD_NS / 250);
}

TEST(perf_clock_knows_the_period_of_an_event_that_was_never_opened)
{
    struct prof_perf_clock clock;
    prof_perf_clock_init(&clock);
    clock.generation = 3;
    clock.periods_ns[3] = PERIOD_NS;
    /* What a target says of generations cannot be trusted. */
    for (uint32_t i = 0; i < 2 * PROF_GENERATIONS; i++)
        CHECK_EQ(prof_perf_clock_period_ns(&clock, i), PERIOD_NS);
    prof_perf_clock_fini(&clock);
}
