/* Processes and threads in /proc. */
#include "tests/harness.h"

#include <pthread.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiler/base/proc.h"

static uint32_t ourselves(void)
{
    return (uint32_t)getpid();
}

static void *pass_barriers(void *owner)
{
    pthread_barrier_t *barrier = owner;
    (void)pthread_barrier_wait(barrier);
    (void)pthread_barrier_wait(barrier);
    return NULL;
}

TEST(proc_lists_every_thread_once)
{
    enum { THREADS = 5 };
    pthread_t threads[THREADS];
    pthread_barrier_t barrier;
    struct proc_tasks tasks;
    uint32_t tid, count = 0, leaders = 0;
    CHECK_EQ(pthread_barrier_init(&barrier, NULL, THREADS + 1), 0);
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, pass_barriers, &barrier), 0);
    (void)pthread_barrier_wait(&barrier);
    CHECK(proc_tasks_open(&tasks, ourselves()));
    while (proc_tasks_next(&tasks, &tid)) {
        count++;
        leaders += tid == ourselves();
        /* It waits for another one, or for memory, or for a processor. */
        CHECK(strchr("SDR", proc_task_state(ourselves(), tid)) != NULL);
    }
    proc_tasks_close(&tasks);
    CHECK_EQ(proc_thread_count(ourselves()), count);
    (void)pthread_barrier_wait(&barrier);
    for (int i = 0; i < THREADS; i++)
        (void)pthread_join(threads[i], NULL);
    (void)pthread_barrier_destroy(&barrier);
    CHECK_EQ(leaders, 1);
    CHECK(count >= THREADS + 1); /* a sanitizer may have one of its own */
}

/* A program chooses its name; it must not choose its status. */
TEST(proc_status_is_not_misled_by_a_name)
{
    struct proc_status status;
    CHECK_EQ(prctl(PR_SET_NAME, "a\nPPid:\t77", 0, 0, 0), 0);
    CHECK(proc_status_read(&status, ourselves(), ourselves()));
    CHECK_EQ(proc_status_number(&status, "PPid"), (uint32_t)getppid());
    CHECK_EQ(proc_status_number(&status, "Tgid"), ourselves());
    CHECK_EQ(proc_status_line(&status, "State")[0], 'R');
    CHECK_EQ(proc_status_line(&status, "NoSuchField")[0], '\0');
    CHECK_EQ(prctl(PR_SET_NAME, "x) Z (", 0, 0, 0), 0);
    CHECK_EQ(proc_task_state(ourselves(), ourselves()), 'R');
}

TEST(proc_tells_what_the_kernel_was_booted_with)
{
    struct proc_boot boot;
    memset(&boot, 'x', sizeof boot);
    proc_boot_read(&boot);
    /* The kernel ends it so, also where it was given nothing. */
    const char *end = strchr(boot.text, '\n');
    CHECK(end != NULL && end[1] == '\0');
}

TEST(proc_says_who_is_gone)
{
    struct proc_status status;
    struct proc_tasks tasks;
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    (void)waitpid(child, NULL, 0);
    CHECK(!proc_tasks_open(&tasks, (uint32_t)child));
    CHECK_EQ(proc_thread_count((uint32_t)child), 0);
    CHECK(!proc_status_read(&status, (uint32_t)child, (uint32_t)child));
    CHECK_EQ(proc_task_state((uint32_t)child, (uint32_t)child), '?');
}
