/*
 * Looking at the threads of one process from outside: event `wall`. Threads
 * that run are sampled by their clock; this sees to the rest of their time,
 * without any signal, so that no sleep ends early.
 *
 * A look reads what the thread has used (task_files.h). One that has slept
 * since the last look is given the time on the stack already known, and is
 * looked at ever more rarely; one that is found asleep after it ran is unwound
 * from outside (outside.h); off_cpu.h says who gets how much. Looks are as far
 * apart as the sampling period, at least LOOK_NS, with jitter, and all of them
 * together get LOOK_SHARE of a CPU (looks_common.c): with more threads than
 * fit, each is looked at more rarely, and the sums stay the same.
 *
 * Time of a thread whose stack was never seen goes to [off-cpu] (threads too
 * short to be looked at say themselves how long they lived), time in which
 * it waited for a CPU to [runnable]: the scheduler tells how long that was, but
 * not where.
 */
#ifndef PROFILER_COLLECTOR_THREAD_LOOKS_H
#define PROFILER_COLLECTOR_THREAD_LOOKS_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/collector/looked_process.h"
#include "profiler/collector/looks_common.h"

struct prof_looks;

/*
 * Begin to look at the threads of a process; NULL when out of memory.
 *
 *   is_continued  it has exec'ed: what its thread used before was the earlier
 *                 image's
 */
struct prof_looks *prof_looks_create(
    struct prof_looks_common *common, const struct prof_looked_process *process,
    bool is_continued);

/* What was not given yet is, then free. The process may be dead. */
void prof_looks_destroy(struct prof_looks *looks);

/*
 * Look at who is due.
 *
 *   end_ns   CPU time of ours at which to stop; who is left comes first the
 *            next time
 */
void prof_looks_run(struct prof_looks *looks, uint64_t end_ns);

/*
 * What a thread says at its end: exact, where looks come too late or never.
 *
 *   begin_ns, end_ns  of its life
 *   cpu_ns            what it used in it
 */
void prof_looks_note_end(
    struct prof_looks *looks, uint32_t tid, uint64_t begin_ns, uint64_t end_ns,
    uint64_t cpu_ns);

/* When prof_looks_run() is due. */
uint64_t prof_looks_due_ns(const struct prof_looks *looks);

/* The same from `now_ns` on, if that is before `wait_ms`: not quite at once. */
int prof_looks_wait_ms(
    const struct prof_looks *looks, uint64_t now_ns, int wait_ms);

#endif
