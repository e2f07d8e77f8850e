/*
 * Who is sampled where no record tells of it: the processes that were named,
 * what they have started, and all their threads, or of a process only those
 * that were named. They are found by listing them every 20 ms, or more seldom
 * where that takes long.
 */
#ifndef PROFILER_TAP_ROSTER_H
#define PROFILER_TAP_ROSTER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "profiler/base/table.h"
#include "profiler/collector/task_files.h"
#include "profiler/tap/named.h"
#include "profiler/tap/process.h"

struct prof_roster_thread {
    uint32_t pid, tid;
    struct prof_task_files files;
    uint64_t seen_ns;   /* its CPU clock at its last sample */
    uint64_t looked_ns; /* the same, at the last look */
    uint64_t placed_ns; /* the same, when its processor was last read */
    bool is_gone;
    bool has_chain; /* its frame pointers are to be followed while it is held */
    bool is_held;   /* or about to be, or was until just now */
};

struct prof_roster {
    struct prof_tap_common *common; /* borrowed */
    struct prof_tap_named named;
    struct prof_tap_process *processes; /* the latest first */
    struct table threads;               /* struct prof_roster_thread, by tid */
    pthread_mutex_t gate; /* to `threads` and all in it, for who catches them */
    struct prof_task_limit files;
    uint32_t process_count; /* that were met */
    uint64_t next_list_ns;
    bool is_begun; /* who is met from now on has begun since */
};

/* `common` and `epoll`, which tells of ends, outlive it. */
void prof_roster_init(
    struct prof_roster *roster, struct prof_tap_common *common, int epoll);

/* Who is on it yet is dropped. */
void prof_roster_fini(struct prof_roster *roster);

/* Name a process and what it starts, or of `pid` the thread `tid` (or 0). */
MUST_CHECK enum status prof_roster_name(
    struct prof_roster *roster, uint32_t pid, uint32_t tid, struct diag *diag);

/* The process of it, or NULL. */
struct prof_tap_process *prof_roster_process(
    struct prof_roster *roster, uint32_t pid);

/* The thread of it, or NULL; valid until the next listing. Behind the gate. */
struct prof_roster_thread *prof_roster_thread(
    const struct prof_roster *roster, uint32_t tid);

/* List who is there, if it is time. */
void prof_roster_refresh(struct prof_roster *roster, uint64_t now_ns);

/* Read the processes' CPU clocks, and drop who has ended. */
void prof_roster_read_clocks(struct prof_roster *roster, uint64_t now_ns);

/* Close every account. */
void prof_roster_drop_all(struct prof_roster *roster);

#endif
