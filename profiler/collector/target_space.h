/*
 * What stood at the addresses of a target, by what its agent says of modules
 * and by its maps.
 *
 * An address that nothing known explains sends us to the maps, once a drain.
 * What stood there may have gone, and something else come, since the sample
 * was taken: then the agent has published what went before it let it go. So
 * the maps are read first, then the ring once more, and what the ring says is
 * believed before the maps are.
 */
#ifndef PROFILER_COLLECTOR_TARGET_SPACE_H
#define PROFILER_COLLECTOR_TARGET_SPACE_H

#include <stdint.h>

struct prof_target;

/*
 * Apply what the records from the place `at` on say of modules. What is of no
 * known type is counted as malformed.
 */
void prof_target_apply_modules(struct prof_target *target, uint32_t at);

/*
 * The stack that these words, innermost first, make in the profile, as of
 * `when_ns` (CLOCK_MONOTONIC); PROF_NONE when nothing of it is to be shown.
 * Records may be taken meanwhile.
 */
uint32_t prof_target_stack(
    struct prof_target *target, const uint64_t *words, uint32_t count,
    uint64_t when_ns);

#endif
