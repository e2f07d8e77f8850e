/*
 * What a tree of processes uses, once in a while: processor time, memory and
 * threads, of those of the profile's processes that live.
 */
#ifndef PROFILER_COLLECTOR_READINGS_H
#define PROFILER_COLLECTOR_READINGS_H

#include <stdint.h>

#include "profiler/base/table.h"
#include "profiler/model/profile.h"

struct prof_readings {
    struct table used;  /* uint64_t CPU time so far, by the row of a process */
    uint64_t latest_ns; /* when the latest was taken; 0: none yet */

    /* The most that any of them had. */
    uint32_t most_threads;
    uint64_t most_resident_bytes;
};

void prof_readings_init(struct prof_readings *readings);
void prof_readings_fini(struct prof_readings *readings);

/*
 * Take one, and add it to the profile. Costs some 10 us a process, and nobody
 * beyond the first PROF_READINGS_PROCESSES that live is looked at.
 */
#define PROF_READINGS_PROCESSES 256
void prof_readings_take(
    struct prof_readings *readings, struct prof_profile *profile);

#endif
