/*
 * Stacks of another process's threads, walked from outside: without a signal,
 * without stopping anybody. Only of a thread that sleeps or is held, since its
 * stack has to stand still meanwhile; the caller makes sure afterwards that it
 * did.
 *
 * What can be known of a sleeping thread's registers is its stack pointer and
 * its pc. Where a function's frame is found by the frame pointer, and none of
 * those it called has saved it, frame_search.h looks for the caller.
 */
#ifndef PROFILER_COLLECTOR_OUTSIDE_H
#define PROFILER_COLLECTOR_OUTSIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/collector/image_cache.h"
#include "profiler/unwind/sig_regs.h"
#include "profiler/unwind/sig_walk.h"

struct prof_outside;

/* For the process `pid`; NULL when out of memory. `images` is borrowed. */
struct prof_outside *prof_outside_create(
    uint32_t pid, struct prof_image_cache *images);
void prof_outside_destroy(struct prof_outside *outside);

/*
 * Read the maps now and not while a thread is held: of this `version`. False
 * when they cannot be read.
 */
bool prof_outside_prepare(struct prof_outside *outside, uint64_t version);

/* A thread that stands still, or what was copied of one that did. */
struct prof_outside_place {
    uint32_t tid;
    const struct prof_regs *regs; /* sp and pc at least */
    const uint8_t *stack;         /* copied from sp on; NULL: read it */
    uint64_t stack_bytes;
    uint64_t version; /* of what is mapped: a change makes us read the maps
                         anew, as a stack that leads into unknown code does */
};

/*
 * Unwind.
 *
 *   walk     as for prof_walk_stack()
 *   returns  false when its memory cannot be read; errno says why. With all
 *            registers known, its stack pointer may be anything
 */
bool prof_outside_walk(
    struct prof_outside *outside, const struct prof_outside_place *place,
    struct prof_walk *walk);

#endif
