/* What /proc tells of a process. */
#include "profiler/collector/process_files.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiler/base/clock.h"
#include "profiler/base/proc.h"

enum { COMM_BYTES = 64 };

/* Of a thread, or with `tid` 0 of the process. */
static uint32_t name_of(
    struct prof_profile *profile, uint32_t pid, uint32_t tid)
{
    char name[COMM_BYTES];
    if (!proc_read(pid, tid, "comm", name, sizeof name))
        return prof_profile_string(profile, "");
    return prof_profile_string_n(profile, name, strcspn(name, "\n"));
}

uint32_t prof_process_files_thread_name(
    struct prof_profile *profile, uint32_t pid, uint32_t tid)
{
    return tid != 0 ? name_of(profile, pid, tid)
                    : prof_profile_string(profile, "");
}

bool prof_process_files_has_thread(uint32_t pid, uint32_t tid)
{
    char path[64];
    (void)snprintf(
        path, sizeof path, "/proc/%" PRIu32 "/task/%" PRIu32, pid, tid);
    return access(path, F_OK) == 0;
}

uint32_t prof_process_files_status(uint32_t pid, const char *field)
{
    struct proc_status status;
    return proc_status_read(&status, pid, pid)
               ? proc_status_number(&status, field)
               : 0;
}

bool prof_process_files_sizes(
    uint32_t pid, uint32_t *threads, uint64_t *resident_bytes)
{
    enum { THREADS = 20, RESIDENT_PAGES = 24 };
    struct proc_stat stat;
    if (!proc_stat_read(&stat, pid, 0))
        return false;
    *threads = (uint32_t)strtoul(proc_stat_field(&stat, THREADS), NULL, 10);
    *resident_bytes =
        strtoull(proc_stat_field(&stat, RESIDENT_PAGES), NULL, 10) *
        (uint64_t)sysconf(_SC_PAGESIZE);
    return true;
}

uint32_t prof_process_files_add(struct prof_profile *profile, uint32_t pid)
{
    char path[64], target[4096];
    (void)snprintf(path, sizeof path, "/proc/%" PRIu32 "/exe", pid);
    ssize_t bytes = readlink(path, target, sizeof target - 1);
    target[bytes > 0 ? bytes : 0] = '\0';

    struct prof_process process = {
        .pid = pid,
        .parent_pid = prof_process_files_status(pid, "PPid"),
        .name = name_of(profile, pid, 0),
        .path = prof_profile_string(profile, target),
        .start_ns = clock_now_ns(CLOCK_MONOTONIC)};
    return prof_profile_add_process(profile, &process);
}
