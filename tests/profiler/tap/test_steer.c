/* What samples weigh by the clock of a processor. */
#include "tests/harness.h"

#include <stdlib.h>

#include "profiler/tap/steer.h"

#define PERIOD_NS UINT64_C(1000)

TEST(a_sample_weighs_a_period_where_nothing_is_owed)
{
    struct prof_tap_steer steer = {0};
    CHECK_EQ(prof_tap_steer_weigh(&steer, PERIOD_NS), PERIOD_NS);
    prof_tap_steer_look(&steer, PERIOD_NS, 5 * PERIOD_NS, 5 * PERIOD_NS, 0);
    CHECK_EQ(prof_tap_steer_weigh(&steer, PERIOD_NS), PERIOD_NS);
}

/* As of a process that runs for a third of the time, met by chance. */
TEST(the_sum_of_weights_follows_the_process_clock)
{
    struct prof_tap_steer steer = {0};
    uint64_t used = 0, given = 0, least = 2 * PERIOD_NS, most = 0;
    srandom(1);
    for (int tick = 0; tick < 30000; tick++) {
        used += PERIOD_NS / 3;
        if (tick % 50 == 0)
            prof_tap_steer_look(&steer, PERIOD_NS, used, given, 0);
        if (random() % 3 != 0)
            continue;
        uint64_t weight = prof_tap_steer_weigh(&steer, PERIOD_NS);
        given += weight;
        least = weight < least ? weight : least;
        most = weight > most ? weight : most;
    }
    CHECK(llabs((long long)(used - given)) < 50 * (long long)PERIOD_NS);
    CHECK(least >= PERIOD_NS / 2 && most <= PERIOD_NS * 3 / 2);
    CHECK(least < PERIOD_NS && most > PERIOD_NS);
}

/* Half of the samples are lost for a while: what they stood for stays out. */
TEST(lost_samples_are_not_poured_over_others)
{
    struct prof_tap_steer steer = {0};
    uint64_t used = 0, given = 0;
    for (int tick = 0; tick < 10000; tick++) {
        used += PERIOD_NS;
        if (tick % 50 == 0)
            prof_tap_steer_look(&steer, PERIOD_NS, used, given, 0);
        if (tick < 2000 || tick >= 4000 || tick % 100 >= 50)
            given += prof_tap_steer_weigh(&steer, PERIOD_NS);
    }
    CHECK(used - given > 700 * PERIOD_NS);
    CHECK(used - given < 1000 * PERIOD_NS);
}

TEST(what_was_given_too_much_is_taken_back)
{
    struct prof_tap_steer steer = {0};
    uint64_t sum = 0;
    prof_tap_steer_look(&steer, PERIOD_NS, 0, 100 * PERIOD_NS, 0);
    for (int i = 0; i < 400; i++)
        sum += prof_tap_steer_weigh(&steer, PERIOD_NS);
    CHECK(sum > 299 * PERIOD_NS && sum < 301 * PERIOD_NS);
}

/* The reader was late: its samples are there, and come after the clock. */
TEST(what_is_still_to_be_read_is_not_taken_for_lost)
{
    struct prof_tap_steer steer = {0};
    const uint64_t used = 100 * PERIOD_NS;
    uint64_t given = 0;
    prof_tap_steer_look(&steer, PERIOD_NS, used, 0, used);
    for (int i = 0; i < 100; i++)
        given += prof_tap_steer_weigh(&steer, PERIOD_NS);
    prof_tap_steer_look(&steer, PERIOD_NS, used, given, 0);
    CHECK_EQ(steer.forgone_ns, 0);
    for (uint64_t more = 1; more <= 200; more++) {
        given += prof_tap_steer_weigh(&steer, PERIOD_NS);
        prof_tap_steer_look(
            &steer, PERIOD_NS, used + more * PERIOD_NS, given, 0);
    }
    CHECK(
        llabs((long long)(used + 200 * PERIOD_NS - given)) <
        10 * (long long)PERIOD_NS);
}

/* A program's time of which no clock meets two fifths, however long it goes on:
 * what is met is not taken for more than by chance. */
TEST(time_that_is_never_met_is_not_poured_over_the_rest)
{
    struct prof_tap_steer steer = {0};
    const int count = 6000;
    uint64_t used = 0, given = 0;
    for (int i = 0; i < count; i++) {
        used += PERIOD_NS * 5 / 3;
        if (i % 4 == 0)
            prof_tap_steer_look(&steer, PERIOD_NS, used, given, 0);
        given += prof_tap_steer_weigh(&steer, PERIOD_NS);
    }
    const uint64_t met = (uint64_t)count * PERIOD_NS;
    CHECK(given >= met && given < met * 107 / 100); /* and not 150 */
    /* And when all is met again, all is told of. */
    uint64_t lacking = used - given;
    for (int i = 0; i < count; i++) {
        used += PERIOD_NS;
        if (i % 4 == 0)
            prof_tap_steer_look(&steer, PERIOD_NS, used, given, 0);
        given += prof_tap_steer_weigh(&steer, PERIOD_NS);
    }
    CHECK(used - given <= lacking + 8 * PERIOD_NS);
}
