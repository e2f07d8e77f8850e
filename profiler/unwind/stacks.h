/*
 * Publishing stacks to the live walker (normal context, in the target or in a
 * collector that shares the memory). No libc, no allocation; one writer at a
 * time, the caller serialises.
 *
 * A range is published before its thread is sampled and withdrawn before its
 * memory can be unmapped: when the thread exits, when an alternate stack is
 * disabled, when a fiber's stack is freed. A thread whose stack is not here
 * is sampled all the same, as far as the page of its stack pointer goes.
 */
#ifndef PROFILER_UNWIND_STACKS_H
#define PROFILER_UNWIND_STACKS_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "profiler/unwind/sig_stacks.h"

/* Replaces a range of the same start; false when there are PROF_STACKS_MAX. */
bool prof_stacks_add(struct prof_stacks *stacks, uint64_t start, uint64_t end);

/* Nothing happens when no range starts there. */
void prof_stacks_remove(struct prof_stacks *stacks, uint64_t start);

#endif
