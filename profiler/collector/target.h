/*
 * One program image being sampled: its ring, its clock, its address space and
 * its account, from HELLO to its death or its next exec.
 */
#ifndef PROFILER_COLLECTOR_TARGET_H
#define PROFILER_COLLECTOR_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "profiler/collector/target_model.h"

/*
 * Follow the process `pid`, whose agent sent the segment `fd` (the caller's).
 * Samples arrive from now on.
 *
 *   earlier  the image that the same process had before, or NULL
 *   returns  a target to be closed, or NULL and the reason
 */
struct prof_target *prof_target_open(
    struct prof_target_common *common, uint32_t pid, uint32_t inner_pid, int fd,
    struct prof_target *earlier, struct diag *diag);

/*
 * Where sleep counts, begin to look at its threads.
 *
 *   is_continued  what they have used and slept before does not count
 */
void prof_target_begin_looks(struct prof_target *target, bool is_continued);

/*
 * It runs before and after: what it has used before now, or uses from now on,
 * is not of the recording.
 */
void prof_target_begin_now(struct prof_target *target);
void prof_target_end_now(struct prof_target *target);

/*
 * As prof_target_begin_now(), but from when it had used `before_ns`: what it
 * used since then, while there was no agent yet, is unsampled.
 */
void prof_target_begin_at(struct prof_target *target, uint64_t before_ns);

/*
 * See whether it is traced by now, or has a filter that its agent does not know
 * of, and act upon it. Cheap when the last look was a moment ago.
 */
void prof_target_look(struct prof_target *target);

/* Show the agent that the collector is there; wire/header.h, `seen_ns`. */
void prof_target_show_presence(struct prof_target *target);

/*
 * End sampling, take the last samples, close the account and free the target.
 * The process may be dead, exec'ed or alive.
 */
void prof_target_close(struct prof_target *target);

#endif
