/*
 * The stacks of all threads of a running process, once, as a profile: one
 * sample for each thread, of the value "threads".
 *
 * Each stack is true of its thread at one moment; the moments of two threads
 * are as far apart as the walks between them take.
 */
#ifndef PROFILER_COLLECTOR_SNAPSHOT_H
#define PROFILER_COLLECTOR_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "profiler/collector/sight.h"
#include "profiler/model/profile.h"

/* What once stood somewhere. */
struct prof_snapshot_gone {
    uint64_t start, end, offset;
    struct prof_module module; /* but for its path */
    const char *path;
};

struct prof_snapshot {
    struct prof_profile *profile; /* filled in; borrowed */
    uint32_t pid;
    const uint32_t *tids;                 /* these threads only, borrowed */
    uint32_t tid_count;                   /* 0: all */
    const struct prof_sight_known *known; /* NULL: of no thread */

    /* What that thread stands in, if nothing is there any more; or NULL. */
    const struct prof_snapshot_gone *gone;

    /* Out, summed over several calls. */
    uint32_t thread_count;
    uint32_t held_count; /* as in sight.h */
    uint64_t longest_hold_ns;
    uint32_t unseen_count; /* threads whose stack could not be had */
    struct diag refusal;   /* why the first of them was not; or OK */
};

/*
 * Take one. Signals to ourselves wait until it is done.
 *
 *   errors   as those of prof_reach_check(); GONE as well: there is no such
 *            thread; NO_MEMORY
 */
MUST_CHECK enum status prof_snapshot_take(
    struct prof_snapshot *snapshot, struct diag *diag);

#endif
