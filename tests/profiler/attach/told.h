/*
 * A child that somebody attaches to, and what it tells of itself in memory that
 * both see. One at a time.
 */
#ifndef TESTS_PROFILER_ATTACH_TOLD_H
#define TESTS_PROFILER_ATTACH_TOLD_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiler/base/proc.h"
#include "tests/harness.h"

enum { COUNTERS_MAX = 64, WORKERS = 4 };

struct told {
    _Atomic uint64_t rounds;
    _Atomic uint64_t wrong;
    _Atomic int result;
    _Atomic bool may_go; /* from us to the child */
    _Atomic bool is_over;
    uint64_t counters[COUNTERS_MAX * 8]; /* one in each cache line */
    _Atomic uint64_t added[WORKERS];
};

static struct told *told;

typedef void child_main(void);

static inline pid_t start_child(child_main *run)
{
    told = mmap(
        NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
        -1, 0);
    CHECK(told != MAP_FAILED);
    pid_t child = fork();
    if (child == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        run();
        _exit(0);
    }
    return child;
}

static inline void end_child(pid_t child)
{
    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
    (void)munmap(told, sizeof *told);
}

/* Not for one more: it may have begun before we look. */
static inline void wait_for_first_round(void)
{
    while (told->rounds == 0)
        (void)usleep(100);
}

static inline void wait_for_rounds(uint64_t more)
{
    uint64_t until = told->rounds + more;
    while (told->rounds < until)
        (void)usleep(100);
}

/* Until the child is in that state, as proc(5) calls it. */
static inline void wait_for_state(pid_t child, char wanted)
{
    char state;
    while ((state = proc_task_state((uint32_t)child, (uint32_t)child)) !=
           wanted) {
        CHECK(state != 'Z'); /* it has ended */
        (void)usleep(500);
    }
}

#endif
