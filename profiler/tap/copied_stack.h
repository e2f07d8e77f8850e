/*
 * Unwinding a stack of which the kernel copied the innermost part.
 *
 * Where the copy ends before the stack does, the rest is read from the thread's
 * memory, right away. The sample is some milliseconds old, in which the thread
 * has gone on, but as a rule its outer frames have not. They are believed where
 * there is evidence from both sides: the end of the copy stands in memory still
 * as it was copied, and the same outer frames were seen before the sample
 * (known_frames.h). Without the latter, one of two was wrong where a program's
 * stacks are lively at the copy's end: tests/bench/run --only copies.
 *
 * A copy also ends at a page that nobody has touched yet, as arrays in frames
 * have; the stack goes on behind it, and is read from there in the same way.
 *
 * The rest is cut, and counted by the caller.
 */
#ifndef PROFILER_TAP_COPIED_STACK_H
#define PROFILER_TAP_COPIED_STACK_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/collector/code.h"
#include "profiler/tap/frame_chain.h"
#include "profiler/tap/known_frames.h"
#include "profiler/unwind/sig_regs.h"
#include "profiler/unwind/sig_trail.h"
#include "profiler/unwind/sig_walk.h"

#define PROF_COPIED_FRAMES_MAX 4096

/* What is kept of a thread between its samples. */
struct prof_known_stack {
    struct prof_trail trail;
    struct prof_known_frames frames;
};

void prof_known_stack_fini(struct prof_known_stack *known);

struct prof_copied_stack {
    struct prof_regs regs;
    const uint8_t *bytes; /* what stood from the stack pointer on */
    uint64_t size_bytes;
    uint64_t time_ns; /* CLOCK_MONOTONIC */
    uint32_t tid;
    bool is_live;                  /* its memory may be read */
    bool has_hole;                 /* the copy ends where a page is not there */
    struct prof_frame_chain chain; /* of frame pointers; empty: not followed */
};

enum prof_copied_end {
    PROF_COPIED_COMPLETE,
    PROF_COPIED_INCOMPLETE, /* no rule for a frame */
    PROF_COPIED_CUT,        /* deeper than the copy, and not to be completed */
};

/*
 * Unwind.
 *
 *   code    of the process, published
 *   known   of the thread; changed
 *   walk    out: frames of at least PROF_COPIED_FRAMES_MAX words
 */
enum prof_copied_end prof_copied_stack_walk(
    const struct prof_copied_stack *stack, struct prof_code *code,
    struct prof_known_stack *known, struct prof_walk *walk);

#endif
