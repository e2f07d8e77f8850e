/* What /proc tells of one thread. */
#include "profiler/collector/task_files.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "profiler/base/clock.h"
#include "profiler/base/proc.h"
#include "profiler/model/profile.h"

enum { TEXT_BYTES = 512 };

static const char *const file_names[PROF_TASK_FILES] = {
    [PROF_TASK_SCHEDSTAT] = "schedstat",
    [PROF_TASK_SYSCALL] = "syscall",
    [PROF_TASK_STAT] = "stat",
    [PROF_TASK_SCHED] = "sched"};

struct prof_task_limit prof_task_limit_make(void)
{
    struct rlimit files = {0};
    (void)getrlimit(RLIMIT_NOFILE, &files);
    rlim_t most = files.rlim_cur / 2;
    return (struct prof_task_limit){
        .most = most > INT32_MAX ? INT32_MAX : (unsigned)most};
}

void prof_task_files_init(
    struct prof_task_files *files, uint32_t pid, uint32_t tid,
    struct prof_task_limit *limit)
{
    *files = (struct prof_task_files){.pid = pid, .tid = tid, .limit = limit};
    for (int file = 0; file < PROF_TASK_FILES; file++)
        files->fds[file] = -1;
}

void prof_task_files_fini(struct prof_task_files *files)
{
    for (int file = 0; file < PROF_TASK_FILES; file++) {
        if (files->fds[file] < 0)
            continue;
        (void)close(files->fds[file]);
        files->limit->kept--;
        files->fds[file] = -1;
    }
}

/* The whole of a file as a string; false with errno when there is none. */
static bool read_file(
    struct prof_task_files *files, enum prof_task_file file,
    char text[static TEXT_BYTES])
{
    char path[64];
    int fd = files->fds[file];
    if (fd < 0) {
        (void)snprintf(
            path, sizeof path, "/proc/%" PRIu32 "/task/%" PRIu32 "/%s",
            files->pid, files->tid, file_names[file]);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return false;
    }
    ssize_t bytes = pread(fd, text, TEXT_BYTES - 1, 0);
    int error = errno;
    if (files->fds[file] < 0 && files->limit->kept < files->limit->most) {
        files->fds[file] = fd;
        files->limit->kept++;
    } else if (files->fds[file] < 0) {
        (void)close(fd);
    }
    text[bytes > 0 ? bytes : 0] = '\0';
    errno = error;
    return bytes > 0;
}

bool prof_task_read_usage(struct prof_task_files *files, struct prof_look *look)
{
    char text[TEXT_BYTES], *rest;
    if (!read_file(files, PROF_TASK_SCHEDSTAT, text))
        return false;
    look->cpu_ns = strtoull(text, &rest, 10);
    look->wait_ns = strtoull(rest, &rest, 10);
    look->runs = strtoull(rest, NULL, 10);
    look->time_ns = clock_now_ns(CLOCK_MONOTONIC);
    return true;
}

/*
 * "running", or the call's number and arguments (or -1 outside of a call), the
 * stack pointer and the pc.
 */
enum prof_task_place prof_task_read_place(
    struct prof_task_files *files, struct prof_task_at *at)
{
    char text[TEXT_BYTES], *rest;
    if (!read_file(files, PROF_TASK_SYSCALL, text))
        return errno == ESRCH || errno == ENOENT ? PROF_TASK_GONE
                                                 : PROF_TASK_REFUSED;
    if (strncmp(text, "running", 7) == 0)
        return PROF_TASK_RUNNING;
    *at = (struct prof_task_at){.call.number = strtoll(text, &rest, 10)};
    for (int i = 0; i < 6 && at->call.number >= 0; i++)
        at->call.arguments[i] = strtoull(rest, &rest, 16);
    at->sp = strtoull(rest, &rest, 16);
    at->pc = strtoull(rest, NULL, 16);
    return at->pc != 0 ? PROF_TASK_ASLEEP : PROF_TASK_RUNNING;
}

enum prof_state prof_task_read_state(struct prof_task_files *files)
{
    char text[TEXT_BYTES];
    if (!read_file(files, PROF_TASK_STAT, text))
        return PROF_STATE_UNKNOWN;
    /* The name before it is in parentheses, and may hold some. */
    const char *name_end = strrchr(text, ')');
    switch (name_end != NULL && name_end[1] == ' ' ? name_end[2] : 'X') {
    case 'R':
        return PROF_STATE_ON_CPU;
    case 'S':
    case 'I':
    case 'P':
        return PROF_STATE_SLEEPING;
    case 'D':
        return PROF_STATE_UNINTERRUPTIBLE;
    case 'T':
    case 't':
        return PROF_STATE_STOPPED;
    default:
        return PROF_STATE_UNKNOWN;
    }
}

/* A number of stat; the state, after the name, is field 3. */
static bool read_stat_number(
    struct prof_task_files *files, int number, uint64_t *value)
{
    char text[TEXT_BYTES];
    if (!read_file(files, PROF_TASK_STAT, text))
        return false;
    const char *at = strrchr(text, ')');
    for (int field = 2; at != NULL && field < number; field++)
        at = strchr(at + 1, ' ');
    return at != NULL && sscanf(at, "%" SCNu64, value) == 1;
}

uint32_t prof_task_read_processor(struct prof_task_files *files)
{
    enum { PROCESSOR = 39 };
    uint64_t value;
    return read_stat_number(files, PROCESSOR, &value) ? (uint32_t)value
                                                      : UINT32_MAX;
}

/*
 * The name of the thread, which may be anything, stands before a line of
 * dashes, which is longer than any name. Milliseconds, with six places.
 */
uint64_t prof_task_read_turn(struct prof_task_files *files)
{
    char text[TEXT_BYTES];
    uint64_t ms, rest_ns;
    if (!read_file(files, PROF_TASK_SCHED, text))
        return 0;
    const char *at = strstr(text, "--------------------");
    at = at != NULL ? strstr(at, "\nse.exec_start") : NULL;
    at = at != NULL ? strchr(at, ':') : NULL;
    return at != NULL &&
                   sscanf(at + 1, "%" SCNu64 ".%" SCNu64, &ms, &rest_ns) == 2
               ? ms * 1000000 + rest_ns
               : 0;
}

/* In ticks of CLOCK_BOOTTIME. */
uint64_t prof_task_read_start(struct prof_task_files *files)
{
    enum { START = 22 };
    uint64_t ticks;
    if (!read_stat_number(files, START, &ticks))
        return 0;
    uint64_t boot_ns = ticks * PROF_TASK_START_NS;
    uint64_t asleep_ns = clock_now_ns(CLOCK_BOOTTIME) -
                         clock_now_ns(CLOCK_MONOTONIC); /* the machine */
    return boot_ns > asleep_ns ? boot_ns - asleep_ns : 0;
}
