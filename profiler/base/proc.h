/*
 * What the kernel tells of processes and their threads: proc(5).
 */
#ifndef PROFILER_BASE_PROC_H
#define PROFILER_BASE_PROC_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The threads of a process, as they are listed; more may come meanwhile. */
struct proc_tasks {
    DIR *folder;
};

/* False when it is gone; then there is nothing to close. */
bool proc_tasks_open(struct proc_tasks *tasks, uint32_t pid);

/* The next one; false after the last. */
bool proc_tasks_next(struct proc_tasks *tasks, uint32_t *tid);

void proc_tasks_close(struct proc_tasks *tasks);

/* How many they are; 0 when it is gone. */
uint32_t proc_thread_count(uint32_t pid);

/*
 * What is in the file `name`, as a string.
 *
 *   tid      of this thread of the process; 0: of the process as a whole
 *   returns  false when it is empty, or the thread is gone
 */
bool proc_read(
    uint32_t pid, uint32_t tid, const char *name, char *text, size_t bytes);

/* What the kernel was booted with. Longer lines are cut. */
#define PROC_BOOT_BYTES 4096

struct proc_boot {
    char text[PROC_BOOT_BYTES]; /* "" when it cannot be read */
};

void proc_boot_read(struct proc_boot *boot);

/* 'R', 'S', ...: of a thread; '?' when it is gone. */
char proc_task_state(uint32_t pid, uint32_t tid);

/* /proc/PID/stat: 52 numbers, and the name. */
#define PROC_STAT_BYTES 1024

struct proc_stat {
    char text[PROC_STAT_BYTES];
};

/* Of a thread, or with `tid` 0 of the process; false when it is gone. */
bool proc_stat_read(struct proc_stat *stat, uint32_t pid, uint32_t tid);

/* Field 3 (the state) or a later one, as proc(5) counts them, with those behind
 * it; "" when there is none. */
const char *proc_stat_field(const struct proc_stat *stat, unsigned number);

/* /proc/PID/status has some 1500 bytes. */
#define PROC_STATUS_BYTES 4096

struct proc_status {
    char text[PROC_STATUS_BYTES];
};

/* That of the thread `tid` of the process; false when it is gone. */
bool proc_status_read(struct proc_status *status, uint32_t pid, uint32_t tid);

/* What stands in the line of a field such as "State"; "" when there is none. It
 * goes on with the lines after it. */
const char *proc_status_line(
    const struct proc_status *status, const char *field);

/* The line's first number; 0 when there is none. */
uint32_t proc_status_number(
    const struct proc_status *status, const char *field);

/* The thread's id as itself sees it, in its pid name space; 0: unknown. */
uint32_t proc_inner_tid(uint32_t pid, uint32_t tid);

/* When memory is short, this process is to go before those that work. */
void proc_go_first(void);

#endif
