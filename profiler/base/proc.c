/* Processes and threads in /proc; see the header. */
#include "profiler/base/proc.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 64 };

bool proc_tasks_open(struct proc_tasks *tasks, uint32_t pid)
{
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof path, "/proc/%" PRIu32 "/task", pid);
    tasks->folder = opendir(path);
    return tasks->folder != NULL;
}

bool proc_tasks_next(struct proc_tasks *tasks, uint32_t *tid)
{
    const struct dirent *entry;
    while ((entry = readdir(tasks->folder)) != NULL) {
        *tid = (uint32_t)strtoul(entry->d_name, NULL, 10);
        if (*tid != 0) /* "." and ".." */
            return true;
    }
    return false;
}

void proc_tasks_close(struct proc_tasks *tasks)
{
    (void)closedir(tasks->folder);
}

/*
 * The kernel counts a thread as a link of the folder, and tells so by one call:
 * 2.7 us where /proc/PID/stat, which adds up what all threads have used, takes
 * 9 with one thread and 27 with a thousand.
 */
static uint32_t count_links(uint32_t pid)
{
    enum { OWN_LINKS = 2 }; /* of any folder */
    char path[PATH_BYTES];
    struct stat folder;
    (void)snprintf(path, sizeof path, "/proc/%" PRIu32 "/task", pid);
    return stat(path, &folder) == 0 && folder.st_nlink > OWN_LINKS
               ? (uint32_t)(folder.st_nlink - OWN_LINKS)
               : 0;
}

uint32_t proc_thread_count(uint32_t pid)
{
    enum { THREADS = 20 };
    struct proc_stat stat;
    uint32_t count = count_links(pid);
    /* Who only pretends to be Linux may not count links. */
    return count == 0 && proc_stat_read(&stat, pid, 0)
               ? (uint32_t)strtoul(proc_stat_field(&stat, THREADS), NULL, 10)
               : count;
}

static bool read_start(const char *path, char *text, size_t bytes)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 ? read(fd, text, bytes - 1) : -1;
    if (fd >= 0)
        (void)close(fd);
    text[got > 0 ? got : 0] = '\0';
    return got > 0;
}

bool proc_read(
    uint32_t pid, uint32_t tid, const char *name, char *text, size_t bytes)
{
    char path[PATH_BYTES];
    if (tid == 0)
        (void)snprintf(path, sizeof path, "/proc/%" PRIu32 "/%s", pid, name);
    else
        (void)snprintf(
            path, sizeof path, "/proc/%" PRIu32 "/task/%" PRIu32 "/%s", pid,
            tid, name);
    return read_start(path, text, bytes);
}

void proc_boot_read(struct proc_boot *boot)
{
    (void)read_start("/proc/cmdline", boot->text, sizeof boot->text);
}

bool proc_stat_read(struct proc_stat *stat, uint32_t pid, uint32_t tid)
{
    return proc_read(pid, tid, "stat", stat->text, sizeof stat->text);
}

/* They stand behind the name, which may have anything in it. */
const char *proc_stat_field(const struct proc_stat *stat, unsigned number)
{
    enum { NAME = 2 };
    const char *at = strrchr(stat->text, ')');
    for (unsigned field = NAME; at != NULL && field < number; field++)
        at = strchr(at + 1, ' ');
    return at != NULL ? at + 1 : "";
}

char proc_task_state(uint32_t pid, uint32_t tid)
{
    enum { STATE = 3 };
    struct proc_stat stat;
    char state =
        proc_stat_read(&stat, pid, tid) ? *proc_stat_field(&stat, STATE) : '\0';
    return state != '\0' ? state : '?';
}

bool proc_status_read(struct proc_status *status, uint32_t pid, uint32_t tid)
{
    return proc_read(pid, tid, "status", status->text, sizeof status->text);
}

/* A name may hold anything; but the kernel writes its line breaks as "\\n". */
const char *proc_status_line(
    const struct proc_status *status, const char *field)
{
    size_t length = strlen(field);
    const char *at = status->text;
    while ((at = strchr(at, '\n')) != NULL) {
        at++;
        if (strncmp(at, field, length) == 0 && at[length] == ':')
            return at + length + 1 + strspn(at + length + 1, " \t");
    }
    return "";
}

uint32_t proc_status_number(const struct proc_status *status, const char *field)
{
    return (uint32_t)strtoul(proc_status_line(status, field), NULL, 10);
}

uint32_t proc_inner_tid(uint32_t pid, uint32_t tid)
{
    struct proc_status status;
    if (!proc_status_read(&status, pid, tid))
        return 0;
    const char *line = proc_status_line(&status, "NSpid");
    uint32_t inner = 0; /* the innermost is last */
    for (char *end; *line != '\n' && *line != '\0'; line = end) {
        inner = (uint32_t)strtoul(line, &end, 10);
        if (end == line)
            break;
        while (*end == '\t')
            end++;
    }
    return inner;
}

void proc_go_first(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)!write(fd, "1000", 4);
    (void)close(fd);
}
