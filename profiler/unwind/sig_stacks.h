/*
 * The address ranges that are stacks: what the live walker may read.
 *
 * Published outside the handler (stacks.h), read in it without locks. A
 * lookup copies one range out and then checks that the version is still the
 * one it began with, so a writer may overwrite the list that a straggler is
 * in: the straggler starts over.
 */
#ifndef PROFILER_UNWIND_SIG_STACKS_H
#define PROFILER_UNWIND_SIG_STACKS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/status.h"

#define PROF_STACKS_MAX    4096

/* An alternate stack may lie inside another published range; a lookup goes
 * past this many inner ranges to find the outer one. */
#define PROF_STACKS_NESTED 8

/* Side by side: a lookup among few touches one cache line of them. */
struct prof_stack_range {
    _Atomic uint64_t start, end;
};

struct prof_stack_list {
    _Atomic uint32_t count;
    struct prof_stack_range ranges[PROF_STACKS_MAX]; /* sorted */
};

struct prof_stacks {
    _Atomic uint32_t version; /* its low bit selects the list in force */
    struct prof_stack_list lists[2];
};

/*
 * The narrowest published range that holds `address`.
 *
 *   low, high  written when true: [low, high) may be read for as long as the
 *              thread that runs on it exists
 */
SIGNAL_SAFE bool prof_stacks_find(
    const struct prof_stacks *stacks, uint64_t address, uint64_t *low,
    uint64_t *high);

#endif
