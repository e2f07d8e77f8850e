/*
 * perf events that see the threads which are watched. They carry the user's
 * registers, a copy of the innermost part of the stack and, where permitted,
 * the kernel's call chain; and they tell of mappings, names, forks and ends. Of
 * frame pointers they carry the user's chain as well, which Go's stacks need
 * (frame_chain.h): on threads always, on processors from when Go is met, for
 * to follow it takes about a microsecond.
 *
 * ON PROCESSORS, where that is permitted (CAP_PERFMON): one for each, which
 * sees whoever runs there. It costs a thread nothing when it is switched, and
 * a thread too short for a period is seen by as good a chance as any; samples
 * of others are passed over. What a sample stands for is known on average
 * only, as the clock is the processor's.
 *
 * ON THREADS elsewhere: one for each thread and processor, since the kernel
 * lets heirs write only into the ring of a processor. Each time a thread is
 * switched to or from, its timer is armed or cancelled: in a virtual machine 1
 * to 4 us each at 99 Hz or 997 Hz, with which a pair that plays ping-pong
 * through a pipe takes twice to five times the CPU time.
 *
 * Nothing enters the process and nothing stops it: samples are taken in the
 * timer's interrupt. (perf_event_open(2))
 */
#ifndef PROFILER_TAP_EVENTS_H
#define PROFILER_TAP_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "profiler/base/table.h"
#include "profiler/tap/filter.h"
#include "profiler/tap/record.h"
#include "profiler/tap/rings.h"

struct prof_tap_events {
    struct perf_event_attr attr;
    struct prof_tap_rings rings;
    struct table opened; /* struct prof_tap_event, of the threads */
    struct index by_id;
    struct prof_tap_filter filter; /* of those on processors */
    bool is_on_processors;         /* see above; else on threads */
    bool has_kernel;               /* their time in the kernel is seen */
    bool is_decided;               /* whether it is, is known */
    struct diag refusal;           /* why it is not; STATUS_OK: it is */
    uint64_t last_fd; /* beyond which descriptors are for other uses */
};

struct prof_tap_event {
    uint64_t id;
    int fd;
    uint32_t tid;
};

struct prof_tap_wanted {
    uint64_t period_ns;
    bool is_inherited;   /* by threads and children made later */
    bool is_at_exec;     /* on threads: begin with the next exec, not now */
    bool is_sharing_fds; /* half of the descriptors are for other uses */
};

/* No sample is taken before prof_tap_events_begin(). */
MUST_CHECK enum status prof_tap_events_open(
    struct prof_tap_events *events, const struct prof_tap_wanted *wanted,
    struct diag *diag);
void prof_tap_events_close(struct prof_tap_events *events);

/* Take samples from now on, where the events are on processors; elsewhere each
 * thread's are taken from when it is added. */
void prof_tap_events_begin(struct prof_tap_events *events);

/*
 * Watch one more thread: on processors, it is watched already.
 *
 *   returns  OK also when the thread has ended meanwhile
 *   errors   LIMIT: there are no more descriptors, but for what else we need
 */
MUST_CHECK enum status prof_tap_events_add(
    struct prof_tap_events *events, uint32_t tid, struct diag *diag);

/*
 * Ask whether the system would let us watch the thread `tid`: no sample is
 * taken.
 *
 *   user_only  out: why its time in the kernel would not be seen; or unchanged
 */
enum status prof_tap_events_ask(
    uint32_t tid, struct diag *user_only, struct diag *diag);

/* Have samples carry the chain of the user's frame pointers from now on. */
void prof_tap_events_follow_frames(struct prof_tap_events *events);

/* The thread that the event `id` was opened for; 0: none. */
uint32_t prof_tap_events_origin(
    const struct prof_tap_events *events, uint64_t id);

/* No sample is taken from now on; what was is still to be read. */
void prof_tap_events_stop(struct prof_tap_events *events);

/* How long all that are watched, and their heirs, have been on a processor; 0
 * where that is not known, since the events are on processors. */
uint64_t prof_tap_events_count_ns(const struct prof_tap_events *events);

#endif
