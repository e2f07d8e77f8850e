/*
 * Publishing modules and stacks to the walker (normal context, in the target
 * or in a collector that shares the memory). No libc, no allocation.
 *
 * One writer at a time: the caller serialises, and blocks its own sampling
 * signal or accepts that samples taken meanwhile see the old state.
 */
#ifndef PROFILER_UNWIND_MODULES_H
#define PROFILER_UNWIND_MODULES_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "profiler/unwind/sig_modules.h"
#include "profiler/unwind/sig_row_cache.h"

/*
 * Replace the published ranges.
 *
 *   texts    in any order; ranges that are empty are left out, and those that
 *            overlap a lower one are cut. At most PROF_TEXTS_MAX are taken
 *   cache    what to forget; may be NULL
 *   returns  false when the previous publication has not settled yet:
 *            nothing was changed, try again later
 */
MUST_CHECK bool prof_modules_publish(
    struct prof_modules *modules, const struct prof_text *texts, uint32_t count,
    struct prof_row_cache *cache);

/*
 * Whether the last publication is all there is: no handler is left that saw
 * the one before, and the cache has forgotten it. Memory that only the old
 * publication referred to may be released then, not before. Does not wait:
 * yield and call again, or settle on the next occasion.
 */
bool prof_modules_settle(
    struct prof_modules *modules, struct prof_row_cache *cache);

/* In a forked child, which has one thread: nobody else is inside. */
void prof_modules_after_fork(struct prof_modules *modules);

#endif
