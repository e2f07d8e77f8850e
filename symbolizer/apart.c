/* A child process with limits. */
#include "symbolizer/apart.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "profiler/base/proc.h"

/* Many times what an index takes: 0.9 s and 0.1 GB for 266 MB of DWARF. */
#define CPU_LIMIT_BASE_S    60
#define CPU_LIMIT_BYTES_A_S (UINT64_C(2) << 20)
#define MEMORY_LIMIT_BASE   (UINT64_C(512) << 20)
#define MEMORY_LIMIT_TIMES  8

enum { PATIENCE_MS = 500 };

/* Addresses in use. */
static uint64_t memory_bytes(void)
{
    unsigned long long pages = 0;
    FILE *statm = fopen("/proc/self/statm", "re");
    if (statm != NULL) {
        if (fscanf(statm, "%llu", &pages) != 1)
            pages = 0;
        (void)fclose(statm);
    }
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void set_limit(int resource, uint64_t value)
{
    struct rlimit now;
    if (getrlimit((__rlimit_resource_t)resource, &now) != 0)
        return;
    if (now.rlim_max > value)
        now.rlim_max = value;
    now.rlim_cur = now.rlim_max; /* no warning: the first signal kills */
    (void)setrlimit((__rlimit_resource_t)resource, &now);
}

static void set_limits(uint64_t bytes)
{
    set_limit(RLIMIT_CORE, 0);
    set_limit(RLIMIT_CPU, CPU_LIMIT_BASE_S + bytes / CPU_LIMIT_BYTES_A_S);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    set_limit(
        RLIMIT_AS,
        memory_bytes() + MEMORY_LIMIT_BASE + MEMORY_LIMIT_TIMES * bytes);
#else
    (void)memory_bytes;
#endif
}

/* The collector's sockets above all: who waits for them to close must not wait
   for us. */
static void close_range_of(int first, int last)
{
    if (first > last ||
        syscall(SYS_close_range, (unsigned)first, (unsigned)last, 0) == 0)
        return;
    long limit = sysconf(_SC_OPEN_MAX); /* before Linux 5.9 */
    for (int fd = first; fd <= last && fd < limit; fd++)
        (void)close(fd);
}

static _Noreturn void run(
    void (*work)(void *context), void *context, int fd, uint64_t bytes,
    pid_t parent)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    (void)prctl(PR_SET_NAME, "watchfire-index");
    set_limits(bytes);
    proc_go_first();
    close_range_of(0, fd - 1);
    close_range_of(fd + 1, INT32_MAX);
    work(context);
    _exit(0);
}

pid_t sym_apart_start(
    void (*work)(void *context), void *context, int fd, uint64_t bytes)
{
    pid_t parent = getpid();
    pid_t child = fork();
    if (child == 0)
        run(work, context, fd, bytes, parent);
    return child;
}

void sym_apart_wait(pid_t child)
{
    siginfo_t info;
    while (waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) != 0) {
        if (errno != EINTR)
            return;
    }
}

void sym_apart_end(pid_t child)
{
    const struct sched_param none = {0};
    const struct timespec glance = {.tv_nsec = 1000000};
    /* A child of the lowest priority might not come to die. */
    (void)sched_setscheduler(child, SCHED_OTHER, &none);
    (void)kill(child, SIGKILL);
    for (int i = 0; i < PATIENCE_MS && waitpid(child, NULL, WNOHANG) == 0; i++)
        (void)nanosleep(&glance, NULL);
}
