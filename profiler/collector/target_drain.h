/* From the ring of a target to samples of the profile. */
#ifndef PROFILER_COLLECTOR_TARGET_DRAIN_H
#define PROFILER_COLLECTOR_TARGET_DRAIN_H

struct prof_target;

/* Take what the ring holds; the share of it that was full, 0 to 1. */
double prof_target_drain(struct prof_target *target);

#endif
