/* The period and its jitter; the rest is in tests/e2e/test_clock*.py. */
#include "tests/harness.h"

#include <stdlib.h>

#include "profiler/collector/perf_clock.h"

enum { PERIOD_NS = 1000000, DRAWS = 10000 };

TEST(perf_clock_never_draws_the_period_itself_and_stays_within_a_percent)
{
    for (int i = 0; i < DRAWS; i++) {
        int64_t period_ns = (int64_t)prof_perf_clock_draw_ns(PERIOD_NS);
        CHECK(llabs(period_ns - PERIOD_NS) >= PERIOD_NS / 500);
        CHECK(llabs(period_ns - PERIOD_NS) <= PERIOD_NS / 100);
    }
}

TEST(perf_clock_draws_keep_the_rate)
{
    double rate = 0;
    for (int i = 0; i < DRAWS; i++)
        rate += 1e9 / (double)prof_perf_clock_draw_ns(PERIOD_NS) / DRAWS;
    CHECK(rate > 999.5 && rate < 1000.5);
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
