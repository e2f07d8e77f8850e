/*
 * The sampling clock of choice: perf's cpu-clock event with sigtrap, opened on
 * the target's threads by the collector. Threads made later inherit it; the
 * target keeps no descriptor; when the collector dies, sampling ends.
 * (perf_event_open(2): sigtrap, inherit_thread, remove_on_exec; Linux 5.13.)
 *
 * GENERATIONS. The period of an inherited event cannot be changed. To change
 * it the clock is armed anew: events of the next generation are opened on all
 * threads, disabled; those before are disabled, with what was inherited from
 * them, the new ones enabled, the old ones closed. Were both to run for as long
 * as it takes to open them, a collector that has to wait for a processor would
 * let time be counted twice; what is lost between the two is [unsampled].
 * Each sample tells its generation, so its weight is exact. Threads are listed
 * before the first event is opened, so that none is armed twice; one that is
 * made meanwhile, by a thread that has only the old event, is not armed at
 * all. Then the clock is in doubt, and its owner arms it once more when the
 * samples fall short of the CPU time used.
 *
 * WHAT THE KERNEL DOES WITH INHERITED EVENTS. A switch between two threads
 * whose events have one origin does not stop one event and start the other:
 * the kernel gives each the other's. It is cheap (two reprogrammings of the
 * timer less: 12 against 45 us a switch on a virtual machine), and right on
 * average, as all events of a generation have one period. But a thread that
 * ends takes with it what others have used of that period: a thread that makes
 * brief ones is never sampled at all. Such a thread gets a tick timer (see
 * account.h). PERF_SAMPLE_READ would keep the kernel from swapping.
 *
 * THE PERIOD is shorter than what was asked by 0.3 to 0.8 %, by chance, and
 * drawn anew every thousand periods where that is cheap, in processes of one
 * thread. Never longer: the rate that is asked for is the least there is, also
 * where a busy machine takes its share of the samples, 0.8 % of them. A program
 * with a period of its own drifts through ours in no more than 333 samples.
 * Measured with 1 ms against 1 000 Hz, half in one function: shares off by 0.8
 * points after 2 s, 0.2 after 10 s; 50 points without. To draw each interval is
 * not possible without a system call, and to draw often is worse: each time is
 * a new phase, 5.5 points after 2 s with a draw every hundred periods.
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

/* When samples are wanted. */
enum prof_wish {
    PROF_SAMPLES_ALWAYS,
    PROF_SAMPLES_BY_SPAN, /* while a transaction is active */
    PROF_SAMPLES_NEVER,   /* crashes and transactions may be */
};

#define PROF_GENERATIONS 256u /* then they begin anew */

struct prof_perf_clock {
    uint32_t pid;
    enum prof_clock_mode mode;
    struct table events; /* struct prof_perf_event */
    uint32_t generation; /* the latest */
    bool is_paused;      /* around an exec; it is not armed anew then */
    bool is_in_doubt;    /* a thread may have been missed by it */
    uint64_t closed_ns;  /* counted by events that were closed */
    uint64_t periods_ns[PROF_GENERATIONS];
};

struct prof_perf_event {
    int tid, fd;
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

/*
 * Arm them anew with another period; see above. False when that is not
 * possible, and the old one stays in force.
 */
bool prof_perf_clock_rearm(struct prof_perf_clock *clock, uint64_t period_ns);

/* Close the events while the process goes on: it is left to timers. */
void prof_perf_clock_leave(struct prof_perf_clock *clock);

/* The period of a sample, by its generation. */
uint64_t prof_perf_clock_period_ns(
    const struct prof_perf_clock *clock, uint32_t generation);

/* A period shorter than this one by chance, as described above. */
uint64_t prof_perf_clock_draw_ns(uint64_t period_ns);

/* Whether the process had one thread when it was armed. */
bool prof_perf_clock_is_single(const struct prof_perf_clock *clock);

/* Around exec: an armed event would kill the new program (no handler yet). */
void prof_perf_clock_pause(struct prof_perf_clock *clock);
void prof_perf_clock_resume(struct prof_perf_clock *clock);

/* CPU time of the threads since they were armed, the dead included; ns. */
uint64_t prof_perf_clock_read_ns(const struct prof_perf_clock *clock);

/*
 * What this system permits, tried on the calling process itself; for doctor
 * and for the summary. `diag` says why it is not more.
 */
enum prof_clock_mode prof_perf_clock_probe(struct diag *diag);

/*
 * An event on a thread of ours (0: the calling one), by which nobody is
 * sampled; the descriptor, or negative.
 */
int prof_perf_clock_open_probe(
    int tid, uint64_t period_ns, enum prof_clock_mode mode);

/* kernel.perf_event_paranoid; -2: unknown. */
int prof_perf_paranoid_level(void);

/* For a person: "perf events", ... */
const char *prof_clock_mode_text(enum prof_clock_mode mode);

#endif
