/*
 * The collector: drains the rings of a process tree and builds a profile. It
 * lives in another process than what it samples, and does there all that
 * allocates, parses, waits or can fail.
 *
 * One thread. The owner polls prof_collector_fd() together with whatever else
 * it waits for, and calls prof_collector_run() when it is readable or after
 * prof_collector_wait_ms().
 */
#ifndef PROFILER_COLLECTOR_COLLECTOR_H
#define PROFILER_COLLECTOR_COLLECTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "profiler/collector/crashes.h"
#include "profiler/collector/kept_files.h"
#include "profiler/collector/perf_clock.h"
#include "profiler/model/profile.h"
#include "profiler/model/span.h"

struct prof_collector;

struct prof_collector_options {
    enum prof_wish wish; /* with event wall, or guests: always */
    uint64_t period_ns;
    double max_overhead; /* share of the CPU time that sampling may cost, above
                            which the rate is lowered; 0: as 1, at 0.9 */
    bool is_wall;        /* event wall, not cpu */
    bool is_reference_wanted;       /* unwind with libunwind */
    enum prof_clock_mode best_mode; /* PROF_CLOCK_PERF: the best there is */
    bool is_waited_for; /* agents wait at exit until outputs are written */

    /* A socket and session made by an agent; NULL: the collector's own. */
    const char *session;
    int socket;

    struct prof_crash_options crashes;
    struct prof_span_options spans;

    const char *refusal; /* answer every HELLO with it; NULL: do not */
};

/* What has happened so far. */
struct prof_collector_stats {
    uint64_t samples;
    uint32_t processes;        /* that said HELLO */
    uint32_t live;             /* of them */
    uint32_t refused;          /* that were told `options.refusal` */
    enum prof_clock_mode mode; /* the worst that any of them got */
    struct diag failure;       /* of an agent; STATUS_OK: none */
    char governed[512];        /* what was done about the cost; "": nothing */
    uint64_t held_ns;          /* the longest that injecting held a thread */
    struct diag left; /* what of an agent had to stay; STATUS_OK: none */
};

/*
 * Collect into `profile`, which stays the caller's and must outlive the
 * collector. The value types declared are "cpu" in nanoseconds and "samples";
 * for event wall, before them, "wall" in nanoseconds.
 */
MUST_CHECK enum status prof_collector_create(
    struct prof_collector **collector, struct prof_profile *profile,
    const struct prof_collector_options *options, struct diag *diag);

/*
 * Bring a guest into a process that runs already (injected.h), and sample it by
 * CPU-clock timers. So are its children, those it has and those it starts,
 * unless only some of its threads are asked for.
 *
 *   tids    its threads to be sampled, `count` of them; 0: all
 *   errors  why it is not possible, in a sentence for a person
 */
MUST_CHECK enum status prof_collector_inject(
    struct prof_collector *collector, uint32_t pid, const uint32_t *tids,
    uint32_t count, struct diag *diag);

/* Ends what sampling is still on. */
void prof_collector_destroy(struct prof_collector *collector);

/* The value of WATCHFIRE_SESSION for the program to be sampled. */
const char *prof_collector_session(const struct prof_collector *collector);

/* The descriptor to poll, for reading; the collector's. */
int prof_collector_fd(const struct prof_collector *collector);

/* How long to wait for it at most; -1: there is nobody to look after. */
int prof_collector_wait_ms(const struct prof_collector *collector);

/* Take requests and samples; never waits. */
void prof_collector_run(struct prof_collector *collector);

/*
 * With PROF_SAMPLES_BY_SPAN: no transaction is active, so sampling rests until
 * an agent tells of one (wire/header.h, REST), as it does from the beginning.
 * What CPU time passes meanwhile is of no account. Spans that are told
 * meanwhile are taken: when one of them is a start, rouse it again.
 */
void prof_collector_rest(struct prof_collector *collector);
void prof_collector_rouse(struct prof_collector *collector);

/*
 * End sampling everywhere, close every account, and refuse who asks. What was
 * lost and why is noted in the profile. Agents that wait for outputs go on
 * waiting, until prof_collector_release().
 */
void prof_collector_finish(struct prof_collector *collector);

/*
 * Close the account of the whole tree: what the kernel counted for it and no
 * process's account holds becomes [unsampled] of the first process.
 */
void prof_collector_close_tree(
    struct prof_collector *collector, uint64_t kernel_ns);

/* Outputs are written, or could not be: `failure` is NULL or the reason. */
void prof_collector_release(
    struct prof_collector *collector, const char *failure);

/*
 * The same processes are on their way out: see how they end, where that is
 * wanted. Waits for a second at most.
 */
void prof_collector_settle(struct prof_collector *collector);

/*
 * Whether nobody can say HELLO any more: there was one process, which has said
 * BYE and had no child then.
 */
bool prof_collector_is_deserted(const struct prof_collector *collector);

struct prof_collector_stats prof_collector_stats(
    const struct prof_collector *collector);

/* Copies of modules' files, until the collector is destroyed. */
const struct prof_kept_files *prof_collector_kept_files(
    const struct prof_collector *collector);

#endif
