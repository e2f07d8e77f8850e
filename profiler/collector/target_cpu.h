/*
 * What the kernel counted for a target: the figure that its samples must add
 * up to.
 */
#ifndef PROFILER_COLLECTOR_TARGET_CPU_H
#define PROFILER_COLLECTOR_TARGET_CPU_H

#include <stdint.h>

struct prof_target;

/*
 * CPU time of all images of this process so far, in nanoseconds; of the threads
 * that were chosen, where some were; without that of a guest's own thread. 0:
 * not known.
 */
uint64_t prof_target_cpu_ns(struct prof_target *target);

/* Only these of its threads are sampled, and of the account. */
void prof_target_choose(
    struct prof_target *target, const uint32_t *tids, uint32_t count);

#endif
