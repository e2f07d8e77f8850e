/* A target as the process whose threads are looked at: event `wall`. */
#ifndef PROFILER_COLLECTOR_LOOKED_TARGET_H
#define PROFILER_COLLECTOR_LOOKED_TARGET_H

#include "profiler/collector/looked_process.h"

struct prof_target;

/* Valid as long as the target, which is borrowed. */
struct prof_looked_process prof_looked_target(struct prof_target *target);

#endif
