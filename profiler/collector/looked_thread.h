/*
 * One thread that is looked at: see thread_looks.h.
 */
#ifndef PROFILER_COLLECTOR_LOOKED_THREAD_H
#define PROFILER_COLLECTOR_LOOKED_THREAD_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/collector/looked_process.h"
#include "profiler/collector/looks_common.h"
#include "profiler/collector/off_cpu.h"
#include "profiler/collector/outside.h"
#include "profiler/collector/task_files.h"

#define PROF_LOOKED_FRAMES 1024

/* What it takes to look at the threads of one process. */
struct prof_looker {
    struct prof_looks_common *common;
    struct prof_looked_process process;
    struct prof_outside *outside; /* made when first needed */
    bool is_refused;              /* its memory or its threads' places */
    uint64_t frames[PROF_LOOKED_FRAMES];
};

struct prof_looked_thread {
    uint32_t tid;
    uint32_t number; /* the owner's */
    struct prof_task_files files;
    struct prof_off_cpu account;
    struct prof_off_time held; /* not a sample yet: more may come */
    uint64_t held_from_ns, held_to_ns;
    uint64_t waited_ns;     /* the same, of waiting for a CPU */
    uint64_t quiet_from_ns; /* asleep without a break since; 0: not */
    uint64_t given_ns;      /* weights of its samples at the last look */
    uint64_t due_ns;
    uint64_t over_ns; /* it said that it ends; 0: it did not */
    uint64_t gone_ns; /* when it may have ended, as the last list had it no
                         more; 0: it had */
};

/*
 * Begin with a thread.
 *
 *   since_ns      it began after that; 0: not known
 *   is_continued  what it has used so far does not count
 *   returns       false when it is gone
 */
bool prof_looked_thread_begin(
    struct prof_looked_thread *thread, struct prof_looker *looker, uint32_t tid,
    uint64_t since_ns, bool is_continued);

/* Look at it; false when it is gone. Sets due_ns. */
bool prof_looked_thread_look(
    struct prof_looked_thread *thread, struct prof_looker *looker);

/*
 * It ended about `end_ns`, or is let go: give what is left.
 *
 *   cpu_ns  what it used until then; 0: to be found out
 */
void prof_looked_thread_end(
    struct prof_looked_thread *thread, struct prof_looker *looker,
    uint64_t end_ns, uint64_t cpu_ns);

/* Off-CPU time of threads that were never looked at. */
void prof_looker_add_unseen(
    const struct prof_looker *looker, uint64_t off_ns, uint64_t when_ns);

#endif
