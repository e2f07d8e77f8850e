/* How much of a stack is copied into rings of some size. */
#include "tests/harness.h"

#include "profiler/tap/rings.h"

#define PERIOD_NS UINT64_C(1000000)
#define MIB       (UINT64_C(1) << 20)

/* An ordinary user's reader has its turn later, and its ring holds more. */
TEST(a_smaller_ring_holds_what_comes_for_longer)
{
    uint64_t copy = prof_tap_rings_choose_copy(4 * MIB, PERIOD_NS, true);
    uint64_t held_ns = 4 * MIB / copy * PERIOD_NS;
    CHECK(held_ns >= 150000000 && held_ns < 200000000);
    copy = prof_tap_rings_choose_copy(4 * MIB, PERIOD_NS / 10, false);
    held_ns = 4 * MIB / copy * (PERIOD_NS / 10);
    CHECK(held_ns >= 30000000 && held_ns < 40000000);
}

TEST(a_copy_has_what_a_record_can_hold_and_not_next_to_nothing)
{
    CHECK_EQ(prof_tap_rings_choose_copy(8 * MIB, PERIOD_NS, false), 48 * 1024);
    CHECK_EQ(prof_tap_rings_choose_copy(8 * MIB, PERIOD_NS, true), 48 * 1024);
    CHECK_EQ(
        prof_tap_rings_choose_copy(PROF_TAP_RING_LEAST, PERIOD_NS, true),
        PROF_TAP_STACK_LEAST);
}
