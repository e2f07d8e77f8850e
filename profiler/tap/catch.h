/*
 * Which thread is at work on a processor at a moment, and with what.
 *
 * THE MOMENT is an expiry of a timer on that processor, by chance. The calling
 * thread waits for it there (post.h), and goes before all others, where it may
 * (root, or ulimit -r): so who was at work is interrupted at that very
 * instruction, as a perf event would interrupt it, and stands still from then
 * on.
 *
 * WHO IT WAS the scheduler tells. It notes when it has put a thread on a
 * processor, or taken it off, by that processor's clock (se.exec_start of
 * /proc/PID/sched), and takes one off in the same breath as it puts the other
 * on: who has the same time as we was there before us. To look who runs, as
 * /proc tells it, and to stop that one, is wrong: who waits for a processor
 * "runs" too, at the call in which it fell asleep; and what a thread does
 * between the look and the stop, it mostly does until its next call. Measured
 * on redis: epoll_wait() 59 % of the time instead of 11 %.
 *
 * WHERE IT WAS. If it still wants to run, it is held (tracee.h), which is at
 * the instruction at which it was interrupted, or at the end of the call in
 * which it was. If the call has put it to sleep, its stack is copied without
 * touching it.
 *
 * Where the kernel has no such file (before Linux 6.15, without
 * CONFIG_SCHED_DEBUG), or that processor is not ours to use, whoever seems to
 * run is held.
 *
 * WHO ELSE LOOKS at the roster at that moment has it to himself; then nobody is
 * caught. To wait for him would be to look at another moment than was meant.
 */
#ifndef PROFILER_TAP_CATCH_H
#define PROFILER_TAP_CATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/attach/tracee.h"
#include "profiler/collector/task_files.h"
#include "profiler/tap/frame_chain.h"
#include "profiler/tap/roster.h"

/* The innermost part; what is deeper is completed when the thread runs. */
#define PROF_CATCH_BYTES 49152

struct prof_catch {
    struct prof_roster *roster; /* borrowed */
    uint32_t processor;
    uint64_t moment_ns; /* CLOCK_MONOTONIC */

    /* Out: what was caught. */
    enum prof_hold_end end;
    uint32_t pid, tid; /* 0: nobody */
    uint64_t held_ns;  /* from when it still ran to the release */
    int error;         /* of REFUSED */
    uint64_t cpu_ns;   /* its clock; 0: it is not the one that was meant */
    struct prof_regs regs;
    uint64_t chain_count; /* of the frame pointers' chain, if it has one */
    uint64_t chain[1 + PROF_FRAME_CHAIN_MOST];
    uint64_t stack_bytes;
    uint8_t stack[PROF_CATCH_BYTES];

    /* The thread that catches. */
    struct prof_task_limit limit;
    struct prof_task_files own;
    uint32_t first; /* who is looked at first: who was caught last */
};

/* By the thread that is to catch. */
void prof_catch_begin(struct prof_catch *catch);
void prof_catch_end(struct prof_catch *catch);

/*
 * Wait for the moment, and catch. Whoever is caught `is_held` in the roster
 * until what was caught is looked at.
 *
 *   end  DONE: the thread was held; NOBODY: none was, but there may be one that
 *        slept; else what has kept us from holding it
 */
void prof_catch_run(struct prof_catch *catch);

#endif
