/* When the rings are looked at. */
#include "tests/harness.h"

#include "profiler/tap/pace.h"

#define MS UINT64_C(1000000)

static struct prof_tap_pace begun(uint64_t period_ns)
{
    struct prof_tap_pace pace;
    prof_tap_pace_begin(&pace, period_ns);
    return pace;
}

TEST(while_records_come_a_look_follows_in_milliseconds)
{
    struct prof_tap_pace pace = begun(MS);
    CHECK_EQ(pace.wait_ms, 5);
    for (int i = 0; i < 10; i++)
        prof_tap_pace_note(&pace, true);
    CHECK_EQ(pace.wait_ms, 5);
}

TEST(where_nothing_comes_looks_are_more_and_more_seldom)
{
    static const int wanted_ms[] = {10, 20, 40, 50, 50, 50};
    struct prof_tap_pace pace = begun(MS);
    for (unsigned i = 0; i < sizeof wanted_ms / sizeof *wanted_ms; i++) {
        prof_tap_pace_note(&pace, false);
        CHECK_EQ(pace.wait_ms, wanted_ms[i]);
    }
    prof_tap_pace_note(&pace, true);
    CHECK_EQ(pace.wait_ms, 5);
}

TEST(no_look_is_sooner_than_a_period_and_none_is_too_late)
{
    CHECK_EQ(begun(10 * MS).wait_ms, 11);
    struct prof_tap_pace pace = begun(1000 * MS);
    CHECK_EQ(pace.wait_ms, 50);
    prof_tap_pace_note(&pace, false);
    CHECK_EQ(pace.wait_ms, 50);
    CHECK_EQ(begun(UINT64_MAX).wait_ms, 50);
}
