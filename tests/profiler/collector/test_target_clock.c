/* What the handlers of a target cost. */
#include "tests/harness.h"

#include "profiler/collector/target_clock.h"
#include "profiler/wire/header.h"

TEST(target_clock_counts_cycles_as_they_are)
{
    struct prof_handled handled = {.count = 100, .cycles = 2000000};
    CHECK(prof_handled_cycles(&handled) == 2000000);
    handled = (struct prof_handled){.count = 0};
    CHECK(prof_handled_cycles(&handled) == 0);
}

TEST(target_clock_takes_a_handler_that_was_away_for_one_of_the_others)
{
    struct prof_handled handled = {
        .count = 100, .long_count = 5, .cycles = 95 * 20000};
    CHECK(prof_handled_cycles(&handled) > 100 * 20000 - 1);
    CHECK(prof_handled_cycles(&handled) < 100 * 20000 + 1);
}

TEST(target_clock_believes_that_handlers_are_long_where_many_are)
{
    struct prof_handled handled = {
        .count = 100, .long_count = 50, .cycles = 50 * 20000};
    CHECK(
        prof_handled_cycles(&handled) >= 50 * (double)WIRE_HANDLED_CYCLES_MAX);
    handled = (struct prof_handled){.count = 3, .long_count = 3};
    CHECK(prof_handled_cycles(&handled) >= 3 * (double)WIRE_HANDLED_CYCLES_MAX);
}
