/* How children end, before and after their parent has asked. */
#include "tests/harness.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiler/collector/death.h"

enum { NOTHING = -1 };

/* A child that waits for SIGTERM, and a descriptor of it. */
static pid_t start(int *pidfd)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* also when the test fails */
        for (;;)
            (void)pause();
    }
    *pidfd = (int)syscall(SYS_pidfd_open, child, 0);
    assert_true(*pidfd >= 0);
    return child;
}

/* Dead, and not waited for. */
static void kill_quietly(pid_t child, int signal)
{
    siginfo_t info;
    assert_int_equal(kill(child, signal), 0);
    assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
}

TEST(death_is_seen_by_descriptor_and_by_pid)
{
    int pidfd;
    pid_t child = start(&pidfd);
    assert_false(prof_death_is_there((uint32_t)child, pidfd));
    assert_false(prof_death_is_there((uint32_t)child, NOTHING));
    int status;
    assert_false(prof_death_status((uint32_t)child, NOTHING, &status));
    kill_quietly(child, SIGKILL);
    assert_true(prof_death_is_there((uint32_t)child, pidfd));
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_true(prof_death_is_there((uint32_t)child, pidfd));
    assert_true(prof_death_is_there((uint32_t)child, NOTHING));
    close(pidfd);
}

TEST(death_of_a_zombie_has_its_status)
{
    static const int signals[] = {SIGKILL, SIGTERM, SIGUSR1};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        int pidfd, status = 0, told = 0;
        pid_t child = start(&pidfd);
        kill_quietly(child, signals[i]);
        assert_true(prof_death_status((uint32_t)child, NOTHING, &told));
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(told, status);
        assert_int_equal(WTERMSIG(told), signals[i]);
        close(pidfd);
    }
    pid_t child = fork();
    if (child == 0)
        _exit(9);
    siginfo_t info;
    int told = 0;
    assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
    assert_true(prof_death_status((uint32_t)child, NOTHING, &told));
    assert_true(WIFEXITED(told) && WEXITSTATUS(told) == 9);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static bool has_linux(int major, int minor)
{
    struct utsname system;
    int here[2] = {0, 0};
    assert_int_equal(uname(&system), 0);
    assert_int_equal(sscanf(system.release, "%d.%d", &here[0], &here[1]), 2);
    return here[0] > major || (here[0] == major && here[1] >= minor);
}

/* PIDFD_GET_INFO; kernels before Linux 6.15 know nothing any more. */
TEST(death_that_was_waited_for_has_its_status_where_the_kernel_keeps_it)
{
    int pidfd, told = 0;
    pid_t child = start(&pidfd);
    kill_quietly(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    bool is_known = prof_death_status((uint32_t)child, pidfd, &told);
    assert_true(is_known == has_linux(6, 15));
    if (is_known)
        assert_true(WIFSIGNALED(told) && WTERMSIG(told) == SIGKILL);
    /* By its pid alone it is somebody else's, or nobody's. */
    assert_false(prof_death_status((uint32_t)child, NOTHING, &told));
    close(pidfd);
}
