/*
 * One program image that is watched from outside: what is mapped in it, its
 * threads and its account, from when it is met until it ends or execs.
 */
#ifndef PROFILER_TAP_PROCESS_H
#define PROFILER_TAP_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/table.h"
#include "profiler/collector/address_space.h"
#include "profiler/collector/code.h"
#include "profiler/collector/frame_cache.h"
#include "profiler/collector/thread_looks.h"
#include "profiler/tap/common.h"
#include "profiler/tap/copied_stack.h"
#include "profiler/tap/mapped.h"
#include "profiler/tap/record.h"
#include "profiler/tap/steer.h"

struct prof_tap_thread {
    uint32_t tid;
    uint32_t thread;             /* in the profile */
    bool has_ended;              /* its id may come again */
    uint64_t begin_ns, clock_ns; /* as of its process, of its own clock */
    uint64_t given_ns;           /* weights of its samples */
    uint32_t origin;             /* whose event has sampled it; 0: none yet */
    struct prof_known_stack *known; /* NULL before its first sample */
};

/* A moment of a thread: as the kernel told it, or as a stop showed it. */
struct prof_tap_moment {
    uint64_t time_ns, weight_ns;
    const struct prof_regs *regs; /* NULL: it has no stack */
    const uint8_t *stack;         /* copied, from the stack pointer on */
    uint64_t stack_bytes;
    bool has_hole;         /* it ends where a page is not there */
    const uint64_t *chain; /* as perf events have it: the kernel's part, and
                              that of the user's frame pointers */
    uint64_t chain_count;
};

struct prof_tap_process {
    struct prof_tap_common *common;
    uint32_t pid;
    uint32_t image;   /* tells images apart where no record does; or 0 */
    uint32_t process; /* in the profile */
    struct prof_address_space space;
    struct prof_frame_cache frames;
    struct prof_tap_mapped mapped;
    struct prof_code *code; /* of it; NULL before the first sample */
    struct table threads;   /* struct prof_tap_thread */
    struct index by_tid;
    uint32_t last_ended;    /* of them, or TABLE_NONE */
    uint64_t begin_ns;      /* of the process's CPU clock, when it was met */
    uint64_t clock_ns;      /* the same, when last read; 0: never */
    uint64_t given_ns;      /* weights of its samples */
    uint64_t given_then_ns; /* the same, when its clock was last read */
    struct prof_tap_steer steer;
    bool is_replaced;         /* by another image of the same process */
    bool is_gone;             /* its clock could not be read any more */
    bool is_continued;        /* what it did before it was met does not count */
    struct prof_looks *looks; /* NULL but for event wall */
    uint64_t next_read_ns;    /* of the maps, after a reading in vain */
    struct prof_tap_process *next;

    /* Of a child that was forked and has no sample yet: it has no rows in the
     * profile, of which there would be as many as forks. */
    bool is_latent;
    struct prof_process latent;         /* what its row will be */
    uint32_t heir_process, heir_thread; /* who has its time, if it never has a
                                           sample: who forked it */
};

/* Where the list that begins at `first` has, or would have, the process. */
struct prof_tap_process **prof_tap_process_find(
    struct prof_tap_process **first, uint32_t pid);

/* A process that runs already: described and mapped as /proc tells. */
struct prof_tap_process *prof_tap_process_meet(
    struct prof_tap_common *common, uint32_t pid);

/* One that `parent` has forked, or that it has become by exec. The profile
 * hears of the former with its first sample, or name. */
struct prof_tap_process *prof_tap_process_fork(
    struct prof_tap_process *parent, uint32_t pid, uint64_t time_ns);
struct prof_tap_process *prof_tap_process_exec(
    struct prof_tap_process *before, const struct prof_tap_record *comm);

/* What it has become by an exec that no record tells of; NULL: no memory. */
struct prof_tap_process *prof_tap_process_meet_again(
    struct prof_tap_process *before);

/* Take it from its list, and close its account, which goes to `common->rests`.
 */
void prof_tap_process_drop(struct prof_tap_process **at, uint64_t time_ns);
/* Read its CPU clock; false when it is gone for good. */
bool prof_tap_process_read_clock(struct prof_tap_process *process);

/* What is mapped from `record->time_ns` on. */
void prof_tap_process_map(
    struct prof_tap_process *process, const struct prof_tap_record *record);

/* Read the maps: records may have been lost. */
void prof_tap_process_read_maps(struct prof_tap_process *process);

/* Give `process->code`, which is new, what is mapped. */
void prof_tap_process_map_code(struct prof_tap_process *process);

/* The thread, made on first sight; NULL when out of memory. */
struct prof_tap_thread *prof_tap_process_thread(
    struct prof_tap_process *process, uint32_t tid);

/* The thread, if it was met and has not ended, or NULL. */
struct prof_tap_thread *prof_tap_process_known_thread(
    const struct prof_tap_process *process, uint32_t tid);

/* The same of a thread that a record is about: where single threads are
 * watched, none is made, and NULL is one that nobody asked for.
 * PROF_TAP_TID_GONE is taken for the one that ended last: it tells so before it
 * is at its end. */
struct prof_tap_thread *prof_tap_process_watched_thread(
    struct prof_tap_process *process, uint32_t tid);

void prof_tap_thread_end(struct prof_tap_thread *thread);

/* The same of a thread that the kernel says has ended, if it was met. */
void prof_tap_process_end_thread(
    struct prof_tap_process *process, uint32_t tid);

/* The stack that these words make in the profile, as of `when_ns`. */
uint32_t prof_tap_process_stack(
    struct prof_tap_process *process, const uint64_t *words, uint32_t count,
    uint64_t when_ns);

/* Add a moment of one of its threads to the profile. */
void prof_tap_process_add(
    struct prof_tap_process *process, struct prof_tap_thread *thread,
    const struct prof_tap_moment *moment);

/* Add a sample that the kernel has taken. */
void prof_tap_process_sample(
    struct prof_tap_process *process, const struct prof_tap_record *record);

#endif
