/*
 * The account of one process: what each sample weighs, and what no sample
 * covers. Weights are timer expiries times the period; what they leave of the
 * kernel's CPU time stands in frames of its own, never spread over functions.
 *
 * Where expiries cannot be counted by the signal itself, the thread's own CPU
 * time tells how many there were, in two cases:
 *
 *   perf, kernel included. Expiries during one long system call arrive as one
 *   signal when it returns. A sample on the way out of the kernel may stand for
 *   all the time between it and the thread's sample before. And a thread that
 *   makes many brief ones loses expiries to them, see perf_clock.h: it has a
 *   tick timer, whose samples share what the perf samples leave of the
 *   thread's CPU time.
 *
 *   perf, user only. Expiries in the kernel are not signalled. A tick timer
 *   shows where the thread was in the kernel, and its samples share what the
 *   perf samples leave.
 *
 * In all a sample has a base weight and room for more; the thread's CPU time
 * fills the room, in proportion. Samples on the way out of the kernel, of a
 * system call or a page fault, come first: one tick in there stands for one
 * tick of it, give or take what chance makes of that, and only what is left
 * beyond is given to the others, which were in user mode: interrupts and
 * switches take 0.5 to 3 % of that. (Filled from the whole batch at once, with
 * no memory and no such margin, a tenth of the time in system calls went to
 * their neighbours; filled by system calls alone, a third of that in page
 * faults did.) What is not given away now may be later.
 *
 * A tick in a system call is signalled when the call ends. What its thread has
 * used since the tick is the next sample's: else each run of long calls would
 * have half a tick of what came before it.
 *
 * A thread that ends within a period may never expire. A timer shows the first
 * tick that finds a new thread running, and the agent tells what each thread
 * had used when it ended. What ended threads used beyond their own samples is
 * shared by the first ticks of such: one of forty threads of 0.1 ms is met by
 * a tick of 4 ms and stands for all of them.
 *
 * Nothing is filled beyond the CPU time of the process, less half a period for
 * each of its threads: so much is under way and will be signalled yet.
 *
 * Where perf events have given way to timers (wire/header.h, CHANGE), the ticks
 * of these weigh their expiries. Such a timer is told by its samples; but where
 * timers have shown the kernel before, they are the same: there, ticks weigh
 * so after the change, but for a thread's first, which shares what the perf
 * samples leave as those before it did.
 *
 * Where sampling rests, what is used meanwhile is of no account; what a thread
 * may have used since then is at most the time that has passed.
 *
 * In a virtual machine perf's periods hold time that others had the processor
 * and the CPU time does not: where samples come to more than that, the next
 * ones weigh less.
 *
 * When the clock is armed anew, or gives way to timers, a thread loses what it
 * had used of its period, half of it on average; its next sample has that in
 * its weight.
 */
#ifndef PROFILER_COLLECTOR_ACCOUNT_H
#define PROFILER_COLLECTOR_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/collector/perf_clock.h"
#include "profiler/collector/tick_phase.h"
#include "profiler/model/profile.h"

/* A sample that has been resolved but not weighed. */
struct prof_pending {
    uint64_t time_ns;
    uint32_t thread; /* index of the account's thread */
    uint32_t stack;  /* in the profile */
    uint32_t expiries;
    uint32_t generation; /* of the perf event; see perf_clock.h */
    uint64_t period_ns;  /* between two expiries */
    bool is_tick, is_from_kernel, is_truncated;
    bool is_changed;    /* a tick of a timer that came for a perf event */
    bool is_first;      /* the account's own: of a new thread, at a tick */
    uint64_t room_ns;   /* the account's own */
    uint64_t weight_ns; /* out */
};

struct prof_account_thread {
    uint32_t tid;        /* as the collector sees it; 0 unknown */
    uint32_t thread;     /* in the profile */
    uint64_t last_ns;    /* time of its latest sample; 0: none yet */
    bool is_new;         /* no sample of it was weighed yet */
    bool is_changed;     /* its ticks weigh what they stand for from now on */
    uint64_t before_ns;  /* its CPU time when it was armed */
    uint64_t end_ns;     /* its CPU time when it ended; 0: it has not */
    uint64_t given_ns;   /* weights of its samples so far */
    uint32_t generation; /* of its latest perf sample */
    uint64_t period_ns;  /* and its period; 0: none yet */
    uint64_t room_ns[2]; /* of the present batch: from the kernel, others */
    bool is_filled;      /* `fill` is of the present batch */
    double fill[2];      /* shares of the room that are filled */
    uint64_t kernel_room_ns, kernel_given_ns; /* so far */
    bool is_in_kernel;                        /* its latest tick was there */
    uint32_t turns;   /* ticks that were where the one before was not */
    uint64_t late_ns; /* between its latest tick and the end of a call */
    uint32_t rests;   /* of the account, at its latest sample */
};

struct prof_account {
    enum prof_clock_mode mode;
    uint64_t period_ns, tick_ns; /* the first in force; the kernel's tick */
    uint32_t pid;
    struct table threads; /* struct prof_account_thread */
    struct table ended;   /* indexes of those that ended since the last batch */
    struct prof_tick_phase ticks;
    uint64_t weighed_ns; /* time of the latest sample in earlier batches; when
                            it was opened, until there is one */
    uint64_t given_ns;   /* weights of all samples */
    int64_t ended_ns;    /* used by threads that ended, less their samples */
    uint64_t left_ns;    /* of the present batch: what may be filled yet */
    uint64_t startup_ns; /* CPU time of the process before it was armed */
    uint64_t earlier_ns; /* the part of it that an earlier image used */
    uint64_t changed_ns; /* CLOCK_MONOTONIC: timers in place of perf events;
                            0: not so */
    uint64_t rested_ns;  /* CPU time that passed while sampling rested */
    uint64_t roused_ns;  /* when the latest rest ended; CLOCK_MONOTONIC */
    uint32_t rests;      /* that have ended */
};

void prof_account_init(
    struct prof_account *account, uint32_t pid, enum prof_clock_mode mode,
    uint64_t period_ns);
void prof_account_fini(struct prof_account *account);

/* The thread `tid`'s index; `before_ns` is its CPU time when it was armed. */
uint32_t prof_account_add_thread(
    struct prof_account *account, uint32_t tid, uint32_t thread,
    uint64_t before_ns);

/*
 * A thread has ended. `index` is TABLE_NONE when no sample of it was seen; the
 * next samples of it are another thread's. `before_ns` of its CPU time passed
 * before its function began: no sample shows that.
 */
void prof_account_end_thread(
    struct prof_account *account, uint32_t index, uint64_t cpu_ns,
    uint64_t before_ns);

/* Sampling goes on after a rest; `rested_ns` is the owner's to count. */
void prof_account_rouse(struct prof_account *account, uint64_t now_ns);

/*
 * Weigh a batch, in order of time. `total_ns` is the CPU time of the process
 * so far; 0: unknown.
 */
void prof_account_weigh(
    struct prof_account *account, struct prof_pending *batch, size_t count,
    uint64_t total_ns);

#endif
