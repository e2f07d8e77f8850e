/*
 * Sampling processes from outside by stopping their threads: the last resort,
 * where perf events are refused and no agent may come in, or none can.
 *
 * WHO IS STOPPED. Each processor on which watched threads have run in the last
 * second (processors.h) has moments of its own, and a thread of ours that waits
 * for them there (post.h). Whoever of the watched threads was at work there
 * just then (catch.h) is held (tracee.h) for as long as it takes to read its
 * registers and copy the innermost part of its stack, and unwound when it runs
 * again (copied_stack.h). Between two stops nobody traces it. No
 * wait of the program is touched: who has just fallen asleep is copied as it
 * is. What a stop interrupts goes on as tracee.h says; but a read or write in
 * the middle of its work may come back short.
 *
 * WHAT A SAMPLE WEIGHS. The CPU time of the thread since its last sample, by
 * its own clock at the moment of the stop. Moments are off by chance, up to a
 * quarter of a period either way, so that no program keeps step with them. What
 * is over when a process ends is [unsampled], as is what a thread has used
 * before it was first seen. Time in the kernel is that of the call that the
 * stop found.
 *
 * HOW OFTEN. Never more than PROF_STOPS_MOST_HZ on a processor, and never so
 * often that it takes more than a tenth of its time: with very many threads the
 * rate falls.
 *
 * WHO IS NEW is found by listing threads and children (roster.h).
 *
 * Used like a tap (tap.h): one thread, polled, which goes ahead of others where
 * it may (lead.h), for a post has no order until it has taken what came of the
 * last.
 */
#ifndef PROFILER_TAP_STOPS_H
#define PROFILER_TAP_STOPS_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "profiler/collector/kept_files.h"
#include "profiler/model/profile.h"

#define PROF_STOPS_MOST_HZ 250

/* Lengths of stops are counted in these steps; the last has all longer ones. */
#define PROF_STOPS_STEP_NS UINT64_C(10000)
#define PROF_STOPS_STEPS   100

struct prof_stops;

struct prof_stops_options {
    uint64_t period_ns;
    bool is_by_thread; /* threads are named, and no others watched */
    bool is_wall;      /* sleep counts too; see sleepers.h */
};

struct prof_stops_stats {
    uint64_t samples;
    uint32_t processes; /* that were watched */
    uint64_t stops, longest_ns;
    uint32_t lengths[PROF_STOPS_STEPS]; /* how many were how long */
    uint64_t period_ns;  /* in force: as asked, or the shortest there is */
    struct diag refusal; /* of the first thread that could not be held; or OK */
    struct diag sleep_refusal; /* of a look at who sleeps; OK: none was */
};

/* As prof_tap_create(), with the same value types. */
MUST_CHECK enum status prof_stops_create(
    struct prof_stops **stops, struct prof_profile *profile,
    const struct prof_stops_options *options, struct diag *diag);
void prof_stops_destroy(struct prof_stops *stops);

/* Watch a process and what it starts, or of `pid` the thread `tid` only. */
MUST_CHECK enum status prof_stops_watch(
    struct prof_stops *stops, uint32_t pid, struct diag *diag);
MUST_CHECK enum status prof_stops_watch_thread(
    struct prof_stops *stops, uint32_t pid, uint32_t tid, struct diag *diag);

/* Readable when prof_stops_run() has something to do. */
int prof_stops_fd(const struct prof_stops *stops);

/* Take what was sampled, and see who is there, if it is time. */
void prof_stops_run(struct prof_stops *stops);

/* Whether all that were named have ended. */
bool prof_stops_are_over(const struct prof_stops *stops);

/* End sampling and close every account, that of all together as well. */
void prof_stops_finish(struct prof_stops *stops);

struct prof_stops_stats prof_stops_stats(const struct prof_stops *stops);

/* Copies of modules' files, until it is destroyed. */
const struct prof_kept_files *prof_stops_kept_files(
    const struct prof_stops *stops);

#endif
