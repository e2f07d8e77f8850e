/*
 * The sampling clock of choice: perf's cpu-clock event with sigtrap, opened on
 * the target's threads by the collector. Threads made later inherit it; the
 * target keeps no descriptor; when the collector dies, sampling ends.
 * (perf_event_open(2): sigtrap, inherit_thread, remove_on_exec; Linux 5.13.)
 */
#ifndef PROFILER_COLLECTOR_PERF_CLOCK_H
#define PROFILER_COLLECTOR_PERF_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "profiler/base/table.h"

enum prof_clock_mode {
    PROF_CLOCK_PERF,      /* user and kernel time */
    PROF_CLOCK_PERF_USER, /* user time; CPU-clock timers show kernel time */
    PROF_CLOCK_TIMER,     /* CPU-clock timers alone, capped at the tick */
};

struct prof_perf_clock {
    struct table fds; /* int, one per thread that existed */
};

void prof_perf_clock_init(struct prof_perf_clock *clock);

/* Closes the events: sampling ends. */
void prof_perf_clock_fini(struct prof_perf_clock *clock);

/*
 * Arm all threads of `pid`.
 *
 *   mode    in: the best to try; out: what was got. PROF_CLOCK_TIMER means
 *           that perf events were refused
 *   errors  `diag` names the refusal and the setting behind it, also when a
 *           lesser mode was got
 */
void prof_perf_clock_arm(
    struct prof_perf_clock *clock, uint32_t pid, uint64_t period_ns,
    enum prof_clock_mode *mode, struct diag *diag);

/* Around exec: an armed event would kill the new program (no handler yet). */
void prof_perf_clock_pause(const struct prof_perf_clock *clock);
void prof_perf_clock_resume(const struct prof_perf_clock *clock);

/* CPU time of the threads since they were armed, the dead included; ns. */
uint64_t prof_perf_clock_read_ns(const struct prof_perf_clock *clock);

/*
 * What this system permits, tried on the calling process itself; for doctor
 * and for the summary. `diag` says why it is not more.
 */
enum prof_clock_mode prof_perf_clock_probe(struct diag *diag);

/* For a person: "perf events", ... */
const char *prof_clock_mode_text(enum prof_clock_mode mode);

#endif
