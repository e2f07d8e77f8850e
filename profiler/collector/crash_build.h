/*
 * From what the agent wrote down, and what is left of the process, to a crash
 * in terms of the profile model.
 */
#ifndef PROFILER_COLLECTOR_CRASH_BUILD_H
#define PROFILER_COLLECTOR_CRASH_BUILD_H

#include <stdint.h>

#include "profiler/collector/target.h"
#include "profiler/model/crash.h"
#include "profiler/wire/crash.h"

/*
 * Of a thread that stands in the handler: with the stacks of all threads, and
 * its words. The slot is copied before it is looked at.
 *
 *   target  whose segment it is
 *   pid     who crashed, as the collector sees it: the target, or a child that
 *           has no segment yet or, after vfork, none of its own
 *   returns NULL when out of memory
 */
struct prof_crash *prof_crash_build(
    struct prof_target *target, const struct wire_crash *slot, uint32_t pid);

/*
 * Of a target that is dead: with what its slot holds, by what was mapped when
 * it lived.
 *
 *   slot  NULL: nothing was written down
 */
struct prof_crash *prof_crash_build_late(
    struct prof_target *target, const struct wire_crash *slot);

#endif
