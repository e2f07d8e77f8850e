/*
 * The stacks of all threads of a running process, once, as a profile: one
 * sample for each thread, of the value "threads".
 *
 * A thread that sleeps is walked from outside (outside.h): it is not stopped,
 * and so nothing it waits for can end early or late. One that runs is sampled
 * by a perf event (glimpse.h), or, where that is refused or the copy of its
 * stack too short, held for the walk (tracee.h). So is one that sleeps where a
 * frame could only be found by search, for with all registers it is found by
 * rule; but never in a call whose deadline the kernel would not remember, nor
 * while it waits for a disk.
 *
 * Each stack is true of its thread at one moment; the moments of two threads
 * are as far apart as the walks between them take.
 */
#ifndef PROFILER_COLLECTOR_SNAPSHOT_H
#define PROFILER_COLLECTOR_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "profiler/profile.h"
#include "profiler/unwind/sig_regs.h"

/* What once stood somewhere. */
struct prof_snapshot_gone {
    uint64_t start, end, offset;
    struct prof_module module; /* but for its path */
    const char *path;
};

/* A thread that stands in a handler, with what that has interrupted. */
struct prof_snapshot_known {
    uint32_t tid;
    const struct prof_regs *regs;
    bool is_jump; /* a call has led to where no code is, and nowhere further */

    /* What it stands in, if nothing is there any more; NULL: not known. */
    const struct prof_snapshot_gone *gone;

    /* What the handler itself has found, as in struct wire_sample; of the two
       stacks the better one is taken. */
    const uint64_t *words;
    uint32_t word_count;
    bool is_complete;
};

struct prof_snapshot {
    struct prof_profile *profile; /* filled in; borrowed */
    uint32_t pid;
    const uint32_t *tids;                    /* these threads only, borrowed */
    uint32_t tid_count;                      /* 0: all */
    const struct prof_snapshot_known *known; /* NULL: of no thread */

    /* Out, summed over several calls. */
    uint32_t thread_count;
    uint32_t held_count; /* of holds; a thread may be held twice */
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
