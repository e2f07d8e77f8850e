/*
 * What every unwinding engine takes and gives.
 *
 * An engine turns the registers of an interrupted thread into return
 * addresses, innermost first. It runs in the target's signal handler, so all
 * of it is SIGNAL_SAFE: except for the reference engine (libunwind), which is
 * the oracle and not meant for production.
 */
#ifndef PROFILER_UNWIND_SIG_WALK_H
#define PROFILER_UNWIND_SIG_WALK_H

#include <stdint.h>

#include "profiler/base/status.h"

/*
 * User addresses leave the upper bits free; two of them say what is known of a
 * frame. An EXACT frame holds the pc itself: the interrupted leaf and what a
 * signal frame interrupted. Every other one holds a return address, which
 * belongs to the call before it. A GUESSED frame was found without CFI.
 */
#define PROF_FRAME_EXACT   (UINT64_C(1) << 63)
#define PROF_FRAME_GUESSED (UINT64_C(1) << 62)
#define PROF_FRAME_ADDRESS (~(PROF_FRAME_EXACT | PROF_FRAME_GUESSED))

/* The one place where a return address becomes a pc. */
static inline uint64_t prof_pc_of_word(uint64_t word)
{
    uint64_t address = word & PROF_FRAME_ADDRESS;
    return word & PROF_FRAME_EXACT ? address : address - 1;
}

enum prof_walk_end {
    PROF_WALK_COMPLETE,   /* the thread's first frame was reached */
    PROF_WALK_CUT,        /* `capacity` frames, and there are more */
    PROF_WALK_INCOMPLETE, /* no rule for a frame, or memory out of bounds */
};

struct prof_walk {
    uint64_t *frames; /* out: the caller's array of `capacity` words */
    uint32_t capacity;
    uint32_t count; /* out: frames written, at least the leaf */
    uint32_t end;   /* out: enum prof_walk_end */
    uint64_t sp;    /* out, of engines that tell: the stack pointer of the last
                       frame written; its caller is found above it */
    uint64_t fp;    /* the same of the frame pointer, as far as it is known */
};

struct prof_engine {
    const char *name; /* as in --unwinder=NAME */

    /*
     * Unwind from `ucontext`, the third argument of a signal handler.
     *
     *   context  the handler, on any thread; re-entrant
     */
    void (*walk)(
        const struct prof_engine *engine, const void *ucontext,
        struct prof_walk *walk);
};

#endif
