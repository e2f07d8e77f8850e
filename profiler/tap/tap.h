/*
 * Sampling processes from outside, by perf events: those that run already, and
 * programs that no agent can be preloaded into. Nothing enters them, and they
 * are never stopped.
 *
 * One thread. The owner polls prof_tap_fd() together with whatever else it
 * waits for, and calls prof_tap_run() when it is readable or after
 * prof_tap_wait_ms(). Then the kernel's records are brought in order over all
 * processors, stacks are unwound, and samples added to the profile.
 *
 * WHO IS WATCHED. The threads of the processes that are named, those of the
 * processes they have started, and what these make later. To find those that
 * run, they are listed until a listing has nobody new: who was made by a thread
 * that had its event is known by the kernel's record of that.
 *
 * THE ACCOUNT. A sample weighs one period. What the processes' own CPU clocks
 * have gone on meanwhile and no sample covers is [unsampled]: half a period of
 * each thread on average; the whole of a thread that used less than one; and
 * time in the kernel, where that is hidden from us. A forked process that never
 * has a sample leaves its time to the one that forked it. Processes that came
 * and went between two looks at their clocks are told from the events' own
 * count, all together.
 */
#ifndef PROFILER_TAP_TAP_H
#define PROFILER_TAP_TAP_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "profiler/collector/kept_files.h"
#include "profiler/model/profile.h"

struct prof_tap;

enum prof_tap_whom {
    PROF_TAP_TREE,    /* processes, and what they start */
    PROF_TAP_THREADS, /* these threads, and no others */
    PROF_TAP_CHILD,   /* a child of ours, from its next exec on */
};

struct prof_tap_options {
    uint64_t period_ns;
    enum prof_tap_whom whom;
    bool is_wall; /* sleep counts too; see sleepers.h */
};

struct prof_tap_stats {
    uint64_t samples;
    uint32_t processes;  /* that were watched */
    bool has_kernel;     /* time in the kernel is seen */
    struct diag refusal; /* why not; STATUS_OK: it is */
    uint32_t unwatched;  /* threads, for want of descriptors */
    struct diag shortage;
    struct diag sleep_refusal; /* of a look at who sleeps; OK: none was */
    uint64_t unseen_ns; /* CPU time that passed beside the events: while threads
                           were switched. Once the tree's account is closed */
};

/*
 * Collect into `profile`, which stays the caller's. The value types declared
 * are "cpu" in nanoseconds and "samples"; for event wall, before them, "wall"
 * in nanoseconds.
 */
MUST_CHECK enum status prof_tap_create(
    struct prof_tap **tap, struct prof_profile *profile,
    const struct prof_tap_options *options, struct diag *diag);
void prof_tap_destroy(struct prof_tap *tap);

/*
 * Watch a process, or of `pid` the thread `tid` only.
 *
 *   errors  why it is not possible, in a sentence for a person
 */
MUST_CHECK enum status prof_tap_watch(
    struct prof_tap *tap, uint32_t pid, struct diag *diag);
MUST_CHECK enum status prof_tap_watch_thread(
    struct prof_tap *tap, uint32_t pid, uint32_t tid, struct diag *diag);

int prof_tap_fd(const struct prof_tap *tap);
int prof_tap_wait_ms(const struct prof_tap *tap);

/* Take what the kernel has written; never waits. */
void prof_tap_run(struct prof_tap *tap);

/* Whether all that were named have ended. */
bool prof_tap_is_over(const struct prof_tap *tap);

/* End sampling and close every account. */
void prof_tap_finish(struct prof_tap *tap);

/*
 * Close the account of all together, then: what no process's account holds of
 * the kernel's figure becomes [unsampled] of the first.
 *
 *   kernel_ns  that figure; 0: it is not known, and the events' count is taken
 *              where processes came and went too fast
 */
void prof_tap_close_tree(struct prof_tap *tap, uint64_t kernel_ns);

struct prof_tap_stats prof_tap_stats(const struct prof_tap *tap);

/* Copies of modules' files, until the tap is destroyed. */
const struct prof_kept_files *prof_tap_kept_files(const struct prof_tap *tap);

#endif
