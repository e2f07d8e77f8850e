/* Whether a process has children. */
#include "tests/harness.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiler/collector/children.h"

static int release[2];

static void *make_child(void *pid)
{
    char byte;
    *(pid_t *)pid = fork();
    if (*(pid_t *)pid == 0) {
        close(release[1]);
        (void)!read(release[0], &byte, 1);
        _exit(0);
    }
    return NULL;
}

static void end_child(pid_t pid)
{
    close(release[1]);
    CHECK_EQ(waitpid(pid, NULL, 0), pid);
    close(release[0]);
}

TEST(children_are_seen_until_they_are_waited_for)
{
    pid_t child = 0;
    CHECK(!prof_has_children((uint32_t)getpid()));
    CHECK_OK(pipe(release));
    (void)make_child(&child);
    CHECK(prof_has_children((uint32_t)getpid()));
    end_child(child);
    CHECK(!prof_has_children((uint32_t)getpid()));
}

TEST(children_of_another_thread_are_seen)
{
    pid_t child = 0;
    pthread_t thread;
    CHECK_OK(pipe(release));
    CHECK_OK(pthread_create(&thread, NULL, make_child, &child));
    CHECK_OK(pthread_join(thread, NULL));
    CHECK(prof_has_children((uint32_t)getpid()));
    end_child(child);
    CHECK(!prof_has_children((uint32_t)getpid()));
}

TEST(children_of_nobody_are_assumed)
{
    CHECK(prof_has_children(UINT32_MAX));
}
