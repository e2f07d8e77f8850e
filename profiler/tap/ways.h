/*
 * The ways to sample a process that runs already, and which of them are open:
 * judged beforehand, by asking the kernel and touching nothing. `record`,
 * `doctor` and whoever else wants to know ask here.
 */
#ifndef PROFILER_TAP_WAYS_H
#define PROFILER_TAP_WAYS_H

#include <stdint.h>

#include "profiler/base/status.h"

/* The best one first. */
enum prof_way {
    PROF_WAY_PERF,   /* tap.h: never stopped, and nothing enters it */
    PROF_WAY_INJECT, /* collector/injected.h: an agent comes in */
    PROF_WAY_PTRACE, /* stops.h: its threads are stopped */
    PROF_WAYS
};

/* As the command line has it. */
const char *prof_way_name(enum prof_way way);

/* PROF_WAYS: there is none of this name. */
enum prof_way prof_way_named(const char *name);

struct prof_ways {
    /* Of each way: STATUS_OK, or why it is closed, as a sentence for a person.
     * All have the same when the process itself cannot be reached. */
    struct diag refusals[PROF_WAYS];
    struct diag reach;     /* whether it can be */
    struct diag user_only; /* perf: why kernel time is not seen; or OK */
};

void prof_ways_judge(uint32_t pid, struct prof_ways *ways);

#endif
