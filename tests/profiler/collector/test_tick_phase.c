/* When the kernel's ticks are, told by signals. */
#include "tests/harness.h"

#include "profiler/collector/tick_phase.h"

enum { TICK_NS = 4000000, PHASE_NS = 1234567, LATE_NS = 5000 };

TEST(tick_phase_is_not_known_at_first)
{
    struct prof_tick_phase phase;
    prof_tick_phase_init(&phase, TICK_NS);
    CHECK_EQ(prof_tick_phase_since_ns(&phase, 3000000), 0);
    prof_tick_phase_note(&phase, PHASE_NS);
    CHECK_EQ(prof_tick_phase_since_ns(&phase, 3000000), 0);
    prof_tick_phase_init(&phase, TICK_NS);
    prof_tick_phase_note(&phase, 7 * TICK_NS);
    CHECK_EQ(prof_tick_phase_since_ns(&phase, 3000000), 0);
}

TEST(tick_phase_tells_how_long_ago_a_tick_was)
{
    struct prof_tick_phase phase;
    prof_tick_phase_init(&phase, TICK_NS);
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
    prof_tick_phase_init(&phase, TICK_NS);
    for (uint64_t i = 0; i < 9; i++) {
        prof_tick_phase_note(&phase, i * TICK_NS + PHASE_NS);
        prof_tick_phase_note(&phase, (i + 1) * TICK_NS + PHASE_NS + LATE_NS);
        prof_tick_phase_note(&phase, i * TICK_NS + PHASE_NS + TICK_NS / 2);
    }
    CHECK_EQ(prof_tick_phase_since_ns(&phase, 99 * TICK_NS + PHASE_NS + 3), 3);
}
