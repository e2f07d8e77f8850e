/* When the kernel's ticks are, told by signals. */
#include "tests/harness.h"

#include "profiler/collector/tick_phase.h"

enum { TICK_NS = 4000000, PHASE_NS = 1234567, LATE_NS = 5000 };

TEST(tick_phase_is_not_known_at_first)
{
    struct prof_tick_phase phase;
    prof_tick_phase_init(&phase, TICK_NS, "quiet nohz=on");
    CHECK_EQ(prof_tick_phase_since_ns(&phase, 3000000), 0);
    prof_tick_phase_note(&phase, PHASE_NS);
    CHECK_EQ(prof_tick_phase_since_ns(&phase, 3000000), 0);
    prof_tick_phase_init(&phase, TICK_NS, "quiet nohz=on");
    prof_tick_phase_note(&phase, 7 * TICK_NS);
    CHECK_EQ(prof_tick_phase_since_ns(&phase, 3000000), 0);
}

TEST(tick_phase_tells_how_long_ago_a_tick_was)
{
    struct prof_tick_phase phase;
    prof_tick_phase_init(&phase, TICK_NS, "quiet nohz=on");
    prof_tick_phase_note(&phase, 10 * TICK_NS + PHASE_NS + LATE_NS);
    prof_tick_phase_note(&phase, 13 * TICK_NS + PHASE_NS);
    CHECK_EQ(prof_tick_phase_since_ns(&phase, 20 * TICK_NS + PHASE_NS + 3), 3);
    CHECK_EQ(prof_tick_phase_since_ns(&phase, 20 * TICK_NS + PHASE_NS - 3), 0);
    CHECK_EQ(
        prof_tick_phase_since_ns(&phase, 21 * TICK_NS + PHASE_NS - 500000),
        TICK_NS - 500000);
}

TEST(tick_phase_does_not_believe_one_that_was_late)
{
    struct prof_tick_phase phase;
    prof_tick_phase_init(&phase, TICK_NS, "quiet nohz=on");
    for (uint64_t i = 0; i < 9; i++) {
        prof_tick_phase_note(&phase, i * TICK_NS + PHASE_NS);
        prof_tick_phase_note(&phase, (i + 1) * TICK_NS + PHASE_NS + LATE_NS);
        prof_tick_phase_note(&phase, i * TICK_NS + PHASE_NS + TICK_NS / 2);
    }
    CHECK_EQ(prof_tick_phase_since_ns(&phase, 99 * TICK_NS + PHASE_NS + 3), 3);
}

static uint64_t since_where_booted_with(const char *boot)
{
    struct prof_tick_phase phase;
    prof_tick_phase_init(&phase, TICK_NS, boot);
    for (uint64_t i = 0; i < 9; i++)
        prof_tick_phase_note(&phase, i * TICK_NS + PHASE_NS);
    return prof_tick_phase_since_ns(&phase, 9 * TICK_NS + PHASE_NS + 3);
}

TEST(tick_phase_is_not_known_where_each_processor_has_its_own)
{
    static const char *const skewed[] = {
        "skew_tick=1", "quiet skew_tick=1 nosmt\n", "skew-tick=1",
        "skew_tick=0 skew_tick=0x1"};
    static const char *const together[] = {
        "",
        "\n",
        "quiet",
        "skew_tick=0",
        "skew_tick=1 skew_tick=0",
        "noskew_tick=1",
        "quiet -- skew_tick=1",
        "skew_tick"};
    for (unsigned i = 0; i < sizeof skewed / sizeof *skewed; i++)
        CHECK_EQ(since_where_booted_with(skewed[i]), 0);
    for (unsigned i = 0; i < sizeof together / sizeof *together; i++)
        CHECK_EQ(since_where_booted_with(together[i]), 3);
}
