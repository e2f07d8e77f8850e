/* Work in a process apart: what it has, and what becomes of it. */
#include "tests/harness.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiler/base/clock.h"
#include "symbolizer/apart.h"
#include "tests/symbolizer/idle_threads.h"

/* What a child tells of itself, through the descriptor it has. */
struct report {
    int fd; /* before: where to write */
    int descriptors;
    rlim_t cpu, core, memory;
    bool is_refused_memory;
};

static void tell(void *context)
{
    struct report report = *(struct report *)context;
    struct rlimit limit;
    (void)getrlimit(RLIMIT_CPU, &limit);
    report.cpu = limit.rlim_cur;
    (void)getrlimit(RLIMIT_CORE, &limit);
    report.core = limit.rlim_cur;
    (void)getrlimit(RLIMIT_AS, &limit);
    report.memory = limit.rlim_cur;
    void *much = malloc((size_t)3 << 30);
    report.is_refused_memory = much == NULL;
    free(much);
    for (int fd = 0; fd < 1000; fd++)
        report.descriptors += fcntl(fd, F_GETFD) >= 0;
    (void)!write(report.fd, &report, sizeof report);
}

static struct report report_of(uint64_t bytes)
{
    int ends[2];
    CHECK_OK(pipe(ends));
    struct report report = {.fd = ends[1]}, told = {0};
    pid_t child = sym_apart_start(tell, &report, ends[1], bytes);
    CHECK(child > 0);
    (void)close(ends[1]);
    CHECK_EQ(read(ends[0], &told, sizeof told), sizeof told);
    (void)close(ends[0]);
    sym_apart_wait(child);
    sym_apart_end(child);
    return told;
}

TEST(a_child_has_one_descriptor)
{
    CHECK_EQ(report_of(1).descriptors, 1);
}

TEST(a_child_has_limits_by_what_it_reads)
{
    struct report small = report_of(1), large = report_of(UINT64_C(1) << 28);
    CHECK(small.cpu != RLIM_INFINITY && small.cpu < large.cpu);
    CHECK_EQ(small.core, 0);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    CHECK(small.memory != RLIM_INFINITY && small.memory < large.memory);
    CHECK(small.is_refused_memory);
#endif
}

static void crash(void *context)
{
    (void)context;
    (void)signal(SIGABRT, SIG_DFL);
    abort();
}

TEST(a_child_that_crashes_is_gone_and_nothing_else)
{
    pid_t child = sym_apart_start(crash, NULL, 2, 1);
    CHECK(child > 0);
    sym_apart_wait(child);
    sym_apart_end(child);
    CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1);
}

static void sleep_on(void *context)
{
    (void)context;
    for (;;)
        (void)pause();
}

TEST(a_child_that_is_not_wanted_any_more_is_killed_and_reaped)
{
    pid_t child = sym_apart_start(sleep_on, NULL, 2, 1);
    CHECK(child > 0);
    uint64_t since_ns = clock_now_ns(CLOCK_MONOTONIC);
    sym_apart_end(child);
    CHECK(idle_threads_are_reaped(since_ns));
}

static void say_and_sleep(void *context)
{
    (void)!write(*(const int *)context, "x", 1);
    sleep_on(context);
}

/* It holds the writing end of a pipe, and nobody else does. */
TEST(a_child_goes_with_its_parent)
{
    int ends[2];
    char byte;
    CHECK_OK(pipe(ends));
    pid_t parent = fork();
    CHECK(parent >= 0);
    if (parent == 0) {
        (void)sym_apart_start(say_and_sleep, &ends[1], ends[1], 1);
        (void)close(ends[1]);
        sleep_on(NULL);
    }
    (void)close(ends[1]);
    CHECK_EQ(read(ends[0], &byte, 1), 1);
    CHECK_OK(kill(parent, SIGKILL));
    CHECK_EQ(waitpid(parent, NULL, 0), parent);
    CHECK_EQ(read(ends[0], &byte, 1), 0); /* the end: both are gone */
    (void)close(ends[0]);
}
