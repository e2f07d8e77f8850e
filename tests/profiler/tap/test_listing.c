/* Threads and children of a process that runs. */
#include "tests/harness.h"

#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiler/tap/listing.h"

static uint32_t count_of(const struct table *rows, uint32_t pid)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < rows->count; i++)
        count += ((struct prof_tap_listed *)table_row(rows, i))->pid == pid;
    return count;
}

static struct table listed(uint32_t pid, bool *is_there)
{
    struct table rows = {.row_bytes = sizeof(struct prof_tap_listed)};
    *is_there = prof_tap_list_tree(pid, &rows);
    return rows;
}

static pid_t start_sleeper(void)
{
    pid_t child = fork();
    if (child == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* also when the test fails */
        for (;;)
            (void)pause();
    }
    return child;
}

static void end(pid_t child)
{
    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
}

static void *wait_on(void *mutex)
{
    (void)pthread_mutex_lock(mutex);
    (void)pthread_mutex_unlock(mutex);
    return NULL;
}

TEST(every_thread_is_listed)
{
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_t threads[3];
    bool is_there;
    (void)pthread_mutex_lock(&mutex);
    for (int i = 0; i < 3; i++)
        CHECK_OK(pthread_create(&threads[i], NULL, wait_on, &mutex));
    struct table rows = listed((uint32_t)getpid(), &is_there);
    CHECK(is_there);
    CHECK_EQ(count_of(&rows, (uint32_t)getpid()), 4);
    (void)pthread_mutex_unlock(&mutex);
    for (int i = 0; i < 3; i++)
        (void)pthread_join(threads[i], NULL);
    table_fini(&rows);
}

TEST(children_are_listed_with_their_parent)
{
    pid_t first = start_sleeper(), second = start_sleeper();
    bool is_there;
    struct table rows = listed((uint32_t)getpid(), &is_there);
    CHECK_EQ(count_of(&rows, (uint32_t)first), 1);
    CHECK_EQ(count_of(&rows, (uint32_t)second), 1);
    table_fini(&rows);
    end(first);
    end(second);
}

TEST(who_is_gone_is_said_to_be)
{
    pid_t child = start_sleeper();
    end(child);
    bool is_there;
    struct table rows = listed((uint32_t)child, &is_there);
    CHECK(!is_there);
    CHECK_EQ(rows.count, 0);
    table_fini(&rows);
}
