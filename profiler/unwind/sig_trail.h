/*
 * The last walk of a stack, for the next one to follow.
 *
 * Two samples of a thread mostly differ in their innermost frames. A walk is
 * a pure function of what it reads: once it stands at a frame at which an
 * earlier walk stood (same stack pointer, frame pointer and pc, same modules),
 * it goes the same way for as long as the words it would load are the same.
 * Checking that is exact, and unlike walking it is no chain of loads that wait
 * for each other: the addresses are known beforehand.
 *
 * Steps are kept outermost first, so that what two walks share stays where it
 * is and only the inner ones are replaced:
 *
 *     0            old_count                     new_first         STEPS
 *     | kept steps |                             | this walk's own |
 *
 * prof_trail_finish() moves this walk's own steps down behind the kept ones.
 * A stack deeper than the array keeps its innermost steps.
 *
 * A trail belongs to one walk at a time. A walk that finds it taken does
 * without.
 */
#ifndef PROFILER_UNWIND_SIG_TRAIL_H
#define PROFILER_UNWIND_SIG_TRAIL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/status.h"

#define PROF_TRAIL_STEPS 255

/*
 * One frame, and how it was reached from the one inside it. What is above the
 * stack pointer's 48 bits says what words were loaded:
 *
 *     bit 63       it took more than two, and nobody can follow here
 *     bits 55..48  the pc from sp - 8, and the frame pointer from
 *                  sp - 2048 + 8 * this; with 255, the pc alone
 */
struct prof_trail_step {
    uint64_t sp;
    uint64_t pc; /* with its flags, as in the walk's frames */
    uint64_t fp;
};

#define PROF_TRAIL_ADDRESS    UINT64_C(0xffffffffffff)
#define PROF_TRAIL_OTHER      (UINT64_C(1) << 63)
#define PROF_TRAIL_SLOT_SHIFT 48
#define PROF_TRAIL_SLOTS      256 /* words below the stack pointer */
#define PROF_TRAIL_PC_ALONE   255

/* The frame pointer was at sp - 8 * slot; slot 0: it is what it was. */
SIGNAL_SAFE static inline uint64_t prof_trail_plain(uint64_t slot)
{
    uint64_t words = slot != 0 ? slot : 1;
    return (PROF_TRAIL_SLOTS - words) << PROF_TRAIL_SLOT_SHIFT;
}

struct prof_trail {
    _Atomic uint32_t is_taken;
    uint32_t version; /* of the modules that the steps were found with */
    uint64_t stack;   /* whose steps these are: any value that tells */
    uint32_t old_count;
    uint32_t old_at; /* old steps from here on are inside this walk's frame */
    uint32_t new_first;
    uint32_t unused;
    uint64_t end_key; /* of a frame that has no caller, by a rule; 0: none */
    struct prof_trail_step steps[PROF_TRAIL_STEPS];
};

/*
 * Take the trail for a walk.
 *
 *   returns  false when another walk has it; prof_trail_finish() otherwise
 */
SIGNAL_SAFE static inline bool prof_trail_begin(
    struct prof_trail *trail, uint64_t stack, uint32_t version)
{
    /* Pairs with the release in prof_trail_finish(): the steps are whole. */
    if (atomic_exchange_explicit(&trail->is_taken, 1, memory_order_acquire))
        return false;
    if (trail->stack != stack || trail->version != version ||
        trail->old_count > PROF_TRAIL_STEPS) {
        trail->stack = stack;
        trail->version = version;
        trail->old_count = 0;
        trail->end_key = 0;
    }
    /* Where the walk will join it, as a rule: the inner steps. Below the first
     * there is memory as well. */
    uintptr_t end = (uintptr_t)&trail->steps[trail->old_count];
    __builtin_prefetch((const void *)(end - sizeof trail->steps[0]));
    __builtin_prefetch((const void *)(end - 5 * sizeof trail->steps[0]));
    trail->old_at = trail->old_count;
    trail->new_first = PROF_TRAIL_STEPS;
    return true;
}

/*
 * Note the frame the walk has come to.
 *
 *   how      prof_trail_plain(), or PROF_TRAIL_OTHER
 *   returns  whether an earlier walk stood here too: old_at is its step then,
 *            and the steps below that led on
 */
SIGNAL_SAFE static inline bool prof_trail_note(
    struct prof_trail *trail, uint64_t sp, uint64_t pc, uint64_t fp,
    uint64_t how)
{
    uint32_t at = trail->old_at;
    while (at > 0 && (trail->steps[at - 1].sp & PROF_TRAIL_ADDRESS) < sp)
        at--;
    trail->old_at = at;

    if (trail->new_first == 0)
        return false;
    uint32_t index = --trail->new_first;
    if (index < trail->old_count) {
        trail->old_count = index; /* an old one gives way */
        if (at > index)
            trail->old_at = at = index;
    }
    trail->steps[index] =
        (struct prof_trail_step){(sp & PROF_TRAIL_ADDRESS) | how, pc, fp};
    if (at == 0)
        return false;
    const struct prof_trail_step *old = &trail->steps[at - 1];
    if ((old->sp & PROF_TRAIL_ADDRESS) != sp || old->pc != pc || old->fp != fp)
        return false;
    trail->old_at = at - 1;
    return true;
}

/*
 * The walk followed the old steps below `from` down to old_at, and now goes
 * its own way: make them steps of its own.
 */
SIGNAL_SAFE void prof_trail_leave(struct prof_trail *trail, uint32_t from);

/* Give the trail back, with the old steps below `kept` and this walk's own. */
SIGNAL_SAFE void prof_trail_finish(struct prof_trail *trail, uint32_t kept);

#endif
