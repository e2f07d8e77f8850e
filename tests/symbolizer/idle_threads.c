/* Threads and children of the lowest class get a share all the same. */
#include "tests/symbolizer/idle_threads.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "profiler/base/clock.h"
#include "profiler/base/proc.h"

#define PATIENCE_NS UINT64_C(500000000)

enum { CHILDREN_BYTES = 4096, ROWS_BYTES = 4096 };

/* A child of SCHED_IDLE inherits it. */
static void hurry(uint32_t tid)
{
    const struct sched_param none = {.sched_priority = 0};
    if (sched_getscheduler((pid_t)tid) != SCHED_IDLE)
        return;
    (void)sched_setscheduler((pid_t)tid, SCHED_OTHER, &none);
    (void)setpriority(PRIO_PROCESS, tid, 0);
}

static void hurry_children(uint32_t tid)
{
    char text[CHILDREN_BYTES], *end = text;
    if (!proc_read((uint32_t)getpid(), tid, "children", text, sizeof text))
        return;
    for (unsigned long pid; (pid = strtoul(end, &end, 10)) != 0;)
        hurry((uint32_t)pid);
}

void idle_threads_hurry(void)
{
    char rows[ROWS_BYTES] __attribute__((aligned(8)));
    int tasks = open("/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ssize_t bytes;
    while ((bytes = getdents64(tasks, rows, sizeof rows)) > 0) {
        for (ssize_t at = 0; at < bytes;) {
            const struct dirent64 *row = (const void *)(rows + at);
            uint32_t tid = (uint32_t)strtoul(row->d_name, NULL, 10);
            if (tid != 0) { /* no dots */
                hurry(tid);
                hurry_children(tid);
            }
            at += row->d_reclen;
        }
    }
    (void)close(tasks);
}

bool idle_threads_are_reaped(uint64_t since_ns)
{
    int status;
    pid_t left = waitpid(-1, &status, WNOHANG);
    if (left != 0)
        return left < 0;
    if (clock_now_ns(CLOCK_MONOTONIC) - since_ns < PATIENCE_NS)
        return false;
    while ((left = waitpid(-1, &status, 0)) > 0) {
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
            return false;
    }
    return true;
}
