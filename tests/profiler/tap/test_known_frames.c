/* Callers that were seen before. */
#include "tests/harness.h"

#include <stdlib.h>

#include "profiler/tap/known_frames.h"

enum { TOP = 0x7000, FRAME_BYTES = 0x10, FRAMES = 64 };

/* A walk of `count` frames that ends at the frame nearest to TOP. */
struct stack {
    struct prof_walk walk;
    struct prof_trail trail;
    uint64_t words[FRAMES];
};

static uint64_t word_at(uint64_t sp, uint64_t salt)
{
    return 0x400000 + sp + salt;
}

/* Frames with stack pointers from `low` up to and without `high`. */
static void make(
    struct stack *stack, uint64_t low, uint64_t high, uint64_t salt)
{
    uint32_t count = (uint32_t)((high - low) / FRAME_BYTES);
    *stack = (struct stack){
        .walk = {
            .frames = stack->words,
            .capacity = FRAMES,
            .count = count,
            .end = high == TOP ? PROF_WALK_COMPLETE : PROF_WALK_INCOMPLETE,
            .sp = high - FRAME_BYTES}};
    for (uint32_t i = 0; i < count; i++) {
        uint64_t sp = low + i * FRAME_BYTES;
        stack->words[i] = word_at(sp, salt);
        if (i > 0)
            stack->trail.steps[count - 1 - i] =
                (struct prof_trail_step){.sp = sp, .pc = stack->words[i]};
    }
    stack->trail.old_count = count - 1;
}

static struct prof_known_frames *known_of(
    uint64_t low, uint64_t high, uint64_t salt)
{
    struct prof_known_frames *known = calloc(1, sizeof *known);
    struct stack stack;
    make(&stack, low, high, salt);
    prof_known_frames_note(known, &stack.walk, &stack.trail);
    return known;
}

TEST(a_cut_walk_goes_on_as_a_complete_one_did)
{
    struct prof_known_frames *known = known_of(TOP - 0x100, TOP, 0);
    struct stack cut;
    make(&cut, TOP - 0x200, TOP - 0x80, 0);
    uint32_t count = cut.walk.count;
    CHECK(prof_known_frames_complete(known, &cut.walk));
    CHECK_EQ(cut.walk.count, count + 8);
    for (uint32_t i = 0; i < cut.walk.count; i++)
        CHECK_EQ(
            cut.words[i], word_at(TOP - 0x200 + (uint64_t)i * FRAME_BYTES, 0));
    free(known);
}

TEST(walks_that_were_cut_themselves_are_joined)
{
    struct prof_known_frames *known = known_of(TOP - 0x100, TOP, 0);
    struct stack middle, cut;
    make(&middle, TOP - 0x180, TOP - 0x80, 0);
    prof_known_frames_note(known, &middle.walk, &middle.trail);
    make(&cut, TOP - 0x200, TOP - 0x140, 0);
    CHECK(prof_known_frames_complete(known, &cut.walk));
    CHECK_EQ(cut.walk.count, 0x200 / FRAME_BYTES);
    free(known);
}

TEST(another_frame_in_the_same_place_is_not_taken_for_it)
{
    struct prof_known_frames *known = known_of(TOP - 0x100, TOP, 0);
    struct stack cut;
    make(&cut, TOP - 0x200, TOP - 0x80, 1);
    uint32_t count = cut.walk.count;
    CHECK(!prof_known_frames_complete(known, &cut.walk));
    CHECK_EQ(cut.walk.count, count);
    free(known);
}

TEST(a_gap_in_what_is_known_leaves_a_walk_as_it_was)
{
    struct prof_known_frames *known = known_of(TOP - 0x180, TOP - 0x80, 0);
    struct stack cut;
    make(&cut, TOP - 0x200, TOP - 0x100, 0);
    uint32_t count = cut.walk.count;
    CHECK(!prof_known_frames_complete(known, &cut.walk));
    CHECK_EQ(cut.walk.count, count);
    free(known);
}

TEST(the_caller_seen_last_is_the_one)
{
    struct prof_known_frames *known = known_of(TOP - 0x100, TOP, 0);
    struct stack other, cut;
    make(&other, TOP - 0x100, TOP, 0);
    other.words[14] = other.trail.steps[0].pc = 0x500000; /* the outermost */
    other.words[15] = 0;
    other.walk.count = 15;
    other.trail.old_count = 14;
    for (uint32_t i = 1; i < 15; i++)
        other.trail.steps[14 - i].sp = TOP - 0x100 + i * FRAME_BYTES,
                               other.trail.steps[14 - i].pc = other.words[i];
    prof_known_frames_note(known, &other.walk, &other.trail);
    make(&cut, TOP - 0x200, TOP - 0x80, 0);
    CHECK(prof_known_frames_complete(known, &cut.walk));
    CHECK_EQ(cut.words[cut.walk.count - 1], 0x500000);
    free(known);
}
