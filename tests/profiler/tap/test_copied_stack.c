/* Stacks of which a part was copied: our own, at the end of a recursion. */
#include "tests/harness.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "profiler/base/clock.h"
#include "profiler/tap/copied_stack.h"
#include "profiler/unwind/sig_reader.h"
#include "profiler/unwind/sig_regs.h"

enum { DEPTH = 200, FRAME_BYTES = 120, COPY_BYTES = 65536, SMALL_BYTES = 4096 };

/* What is known of this process, and one copy of the stack. */
static struct {
    struct prof_image_cache images;
    struct prof_code *code;
    uint8_t copy[COPY_BYTES];
    ucontext_t context;
    struct prof_known_stack known;
    uint64_t time_ns; /* of the sample */
    uint64_t frames[PROF_COPIED_FRAMES_MAX];
    struct prof_walk walk;
    enum prof_copied_end end;
    void (*visit)(void);
} own;

/* Walk the stack that is being stood on, as if `bytes` of it were copied. */
static void walk(uint64_t bytes, bool is_live)
{
    own.time_ns = clock_now_ns(CLOCK_MONOTONIC);
    struct prof_copied_stack stack = {
        .bytes = own.copy,
        .size_bytes = bytes,
        .time_ns = own.time_ns,
        .tid = (uint32_t)getpid(),
        .is_live = is_live};
    prof_regs_from_ucontext(&stack.regs, &own.context);
    own.walk = (struct prof_walk){
        .frames = own.frames, .capacity = PROF_COPIED_FRAMES_MAX};
    own.end = prof_copied_stack_walk(&stack, own.code, &own.known, &own.walk);
}

/* In a section of its own, whose ends the linker tells. */
extern const char __start_descend_code[], __stop_descend_code[];

__attribute__((noipa, section("descend_code"))) static int descend(int depth)
{
    volatile char room[64];
    room[0] = (char)depth;
    if (depth == 0) {
        (void)getcontext(&own.context);
        uint64_t sp = (uint64_t)own.context.uc_mcontext.gregs[REG_RSP];
        /* Across all variables, which sanitizers watch. */
        for (uint64_t at = 0; at < DEPTH * FRAME_BYTES; at += 8) {
            uint64_t word = prof_slot_at(sp + at);
            memcpy(own.copy + at, &word, sizeof word);
        }
        own.visit();
        return room[0];
    }
    return descend(depth - 1) + room[0];
}

static void stand_deep(void (*visit)(void))
{
    /* What is copied beyond the recursion must be there. */
    volatile char above[FRAME_BYTES * DEPTH];
    above[0] = above[sizeof above - 1] = 0;
    prof_image_cache_init(&own.images);
    own.code = prof_code_create((uint32_t)getpid(), &own.images);
    CHECK(prof_code_read_maps(own.code));
    own.visit = visit;
    (void)descend(DEPTH);
    prof_code_destroy(own.code);
    prof_image_cache_fini(&own.images);
    prof_known_stack_fini(&own.known);
    memset(&own.known, 0, sizeof own.known);
}

static unsigned count_of_descend(void)
{
    unsigned count = 0;
    for (uint32_t i = 0; i < own.walk.count; i++) {
        uint64_t pc = own.frames[i] & PROF_FRAME_ADDRESS;
        count += pc - (uint64_t)(uintptr_t)__start_descend_code <
                 (uint64_t)(__stop_descend_code - __start_descend_code);
    }
    return count;
}

static void complete_from_memory(void)
{
    walk(SMALL_BYTES, true);
    CHECK_EQ(own.end, PROF_COPIED_CUT); /* nobody has seen it before */
    CHECK(count_of_descend() < DEPTH);
    walk(SMALL_BYTES, true);
    CHECK_EQ(own.end, PROF_COPIED_COMPLETE);
    CHECK_EQ(count_of_descend(), DEPTH + 1);
}

TEST(a_copy_that_is_too_short_is_completed_from_memory_seen_before)
{
    stand_deep(complete_from_memory);
}

static void cut_without_memory(void)
{
    walk(SMALL_BYTES, false);
    CHECK_EQ(own.end, PROF_COPIED_CUT);
    CHECK(count_of_descend() > 10);
    CHECK(count_of_descend() < DEPTH);
}

TEST(without_memory_it_is_cut)
{
    stand_deep(cut_without_memory);
}

static void see_all(void)
{
    walk(2 * SMALL_BYTES, true);
    walk(2 * SMALL_BYTES, true);
    CHECK_EQ(own.end, PROF_COPIED_COMPLETE);
}

static void complete_from_before(void)
{
    see_all();
    uint32_t count = own.walk.count;
    walk(SMALL_BYTES, true);
    CHECK_EQ(own.end, PROF_COPIED_COMPLETE);
    CHECK_EQ(own.walk.count, count);
    CHECK_EQ(count_of_descend(), DEPTH + 1);
}

TEST(it_is_completed_where_a_walk_before_had_the_same)
{
    stand_deep(complete_from_before);
}

/* The stack has gone on since, and stands elsewhere now. */
static void cut_where_returns_differ(void)
{
    see_all();
    uint64_t code = (uint64_t)(uintptr_t)stand_deep + 16;
    for (uint32_t at = SMALL_BYTES - 1024; at < SMALL_BYTES; at += 8)
        memcpy(own.copy + at, &code, sizeof code);
    walk(SMALL_BYTES, true);
    CHECK(own.end != PROF_COPIED_COMPLETE);
}

TEST(memory_whose_return_addresses_differ_is_not_believed)
{
    stand_deep(cut_where_returns_differ);
}

static void cut_where_a_byte_differs(void)
{
    see_all();
    /* The word at the very end that is no address of code. */
    uint32_t at = SMALL_BYTES;
    uint64_t word;
    do {
        at -= 8;
        memcpy(&word, own.copy + at, sizeof word);
    } while (prof_is_code_address(word) && prof_code_holds(own.code, word - 1));
    own.copy[at] ^= 1;
    walk(SMALL_BYTES, true);
    CHECK_EQ(own.end, PROF_COPIED_CUT);
}

TEST(memory_that_differs_at_the_end_of_the_copy_is_not_believed)
{
    stand_deep(cut_where_a_byte_differs);
}

static void incomplete_without_a_rule(void)
{
    own.context.uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)own.copy;
    own.context.uc_mcontext.gregs[REG_RBP] = 0;
    walk(SMALL_BYTES, true);
    CHECK_EQ(own.end, PROF_COPIED_INCOMPLETE);
    CHECK_EQ(own.walk.count, 1);
}

TEST(a_wild_pc_leaves_its_own_frame_alone)
{
    stand_deep(incomplete_without_a_rule);
}

static void cut_without_a_copy(void)
{
    walk(0, false);
    CHECK_EQ(own.end, PROF_COPIED_CUT);
    CHECK_EQ(own.walk.count, 1);
}

TEST(where_nothing_was_copied_the_leaf_stands_alone)
{
    stand_deep(cut_without_a_copy);
}
