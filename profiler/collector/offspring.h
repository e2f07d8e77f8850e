/*
 * The children that a process starts while a guest is in it. They are not
 * sampled: a fork's child has the guest's code and no timer, and what it execs
 * has neither. They are found by looking, and followed as strays (strays.h).
 */
#ifndef PROFILER_COLLECTOR_OFFSPRING_H
#define PROFILER_COLLECTOR_OFFSPRING_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/table.h"
#include "profiler/collector/strays.h"

struct prof_offspring {
    struct table pids; /* uint32_t, as they were last seen */
    bool is_known;     /* there was a look */
    uint64_t next_ns;
};

void prof_offspring_init(struct prof_offspring *offspring);
void prof_offspring_fini(struct prof_offspring *offspring);

/*
 * Look for new ones of the process `pid`, unless the last look was a moment
 * ago. Those that are there at the first look are not the recording's.
 */
void prof_offspring_look(
    struct prof_offspring *offspring, uint32_t pid, uint64_t now_ns,
    struct prof_strays *strays);

#endif
