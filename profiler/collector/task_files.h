/*
 * What /proc tells of one thread: proc(5). Reading takes 0.6 us (schedstat) to
 * 2.6 us (stat) from a descriptor that is kept, 4.7 us and more from one that
 * is opened each time.
 */
#ifndef PROFILER_COLLECTOR_TASK_FILES_H
#define PROFILER_COLLECTOR_TASK_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/attach/held_call.h"
#include "profiler/collector/off_cpu.h"

/* Descriptors that all threads share out among themselves. */
struct prof_task_limit {
    unsigned kept, most;
};

enum prof_task_file {
    PROF_TASK_SCHEDSTAT,
    PROF_TASK_SYSCALL,
    PROF_TASK_STAT,
    PROF_TASK_SCHED,
    PROF_TASK_FILES
};

struct prof_task_files {
    uint32_t pid, tid;
    struct prof_task_limit *limit; /* borrowed */
    int fds[PROF_TASK_FILES];      /* -1: not kept */
};

/* As many as leave half of the process's limit to others. */
struct prof_task_limit prof_task_limit_make(void);

void prof_task_files_init(
    struct prof_task_files *files, uint32_t pid, uint32_t tid,
    struct prof_task_limit *limit);
void prof_task_files_fini(struct prof_task_files *files);

/* CPU time, waiting time and runs, and the time of the look; false: gone. */
bool prof_task_read_usage(
    struct prof_task_files *files, struct prof_look *look);

enum prof_task_place {
    PROF_TASK_RUNNING, /* or about to */
    PROF_TASK_ASLEEP,  /* `at` is set */
    PROF_TASK_REFUSED, /* the system does not let us look */
    PROF_TASK_GONE,
};

/* Where a thread sleeps. */
struct prof_task_at {
    uint64_t sp, pc;
    struct prof_held_call call;
};

enum prof_task_place prof_task_read_place(
    struct prof_task_files *files, struct prof_task_at *at);

/* How it sleeps: PROF_STATE_ON_CPU: it does not; UNKNOWN: it is dead. */
enum prof_state prof_task_read_state(struct prof_task_files *files);

/* The processor that it runs on, or ran on last; UINT32_MAX: unknown. */
uint32_t prof_task_read_processor(struct prof_task_files *files);

/*
 * When it was last put on a processor, was taken off one, or was charged for a
 * tick, by that processor's own clock; 0: unknown.
 */
uint64_t prof_task_read_turn(struct prof_task_files *files);

/*
 * CLOCK_MONOTONIC at which it began, or up to PROF_TASK_START_NS later; 0:
 * unknown.
 */
#define PROF_TASK_START_NS UINT64_C(10000000)
uint64_t prof_task_read_start(struct prof_task_files *files);

#endif
