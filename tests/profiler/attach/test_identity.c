/* A number that is given to another process: what was to be done is not. */
#include "profiler/attach/identity.h"

#include <linux/sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "profiler/attach/inject.h"
#include "profiler/base/proc.h"
#include "tests/harness.h"

/* A child that sleeps, with the number `wanted`, or any if that is 0. */
static pid_t sleeper(pid_t wanted)
{
    struct clone_args arguments = {
        .exit_signal = SIGCHLD,
        .set_tid = wanted != 0 ? (uint64_t)(uintptr_t)&wanted : 0,
        .set_tid_size = wanted != 0};
    pid_t child = (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
    if (child == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* if a check fails */
        for (;;)
            (void)pause();
    }
    return child;
}

static void end(pid_t child)
{
    CHECK_OK(kill(child, SIGKILL));
    CHECK_EQ(waitpid(child, NULL, 0), child);
}

/* Not while it still has the processor on which it goes to sleep: that counts
   when it leaves it. */
static bool is_at_rest(uint32_t child)
{
    char call[256];
    return proc_task_state(child, child) == 'Z' ||
           (proc_read(child, child, "syscall", call, sizeof call) &&
            strncmp(call, "running", 7) != 0);
}

/* How often it has gone to sleep, once it sleeps, or has ended. */
static uint32_t times_slept(pid_t child)
{
    static const struct timespec pause = {.tv_nsec = 1000000};
    struct proc_status status;
    while (!is_at_rest((uint32_t)child))
        (void)nanosleep(&pause, NULL);
    CHECK(proc_status_read(&status, (uint32_t)child, (uint32_t)child));
    return proc_status_number(&status, "voluntary_ctxt_switches");
}

/* One after the other, of one number; false where nobody may choose it. */
static bool succeed(pid_t *child, struct prof_identity *first)
{
    /* More than the kernel's clock for that is coarse. */
    static const struct timespec pause = {.tv_nsec = 30000000};
    *child = sleeper(0);
    CHECK(*child > 0);
    CHECK(prof_identity_read(first, (uint32_t)*child));
    CHECK(prof_identity_holds(first, (uint32_t)*child));
    end(*child);
    CHECK(!prof_identity_holds(first, (uint32_t)*child));
    (void)nanosleep(&pause, NULL);
    *child = sleeper(*child);
    return *child > 0;
}

TEST(identity_is_not_that_of_who_has_the_number_next)
{
    pid_t child;
    struct prof_identity first, second;
    if (!succeed(&child, &first))
        return;
    CHECK(!prof_identity_holds(&first, (uint32_t)child));
    CHECK(prof_identity_read(&second, (uint32_t)child));
    CHECK_EQ(second.stack, first.stack); /* both are forks of ours */
    end(child);
}

TEST(identity_keeps_an_undoing_from_who_has_the_number_next)
{
    static const uint32_t word = 7; /* there in both, as in us */
    pid_t child;
    struct prof_injection injection = {.pid = 0};
    if (!succeed(&child, &injection.identity))
        return;
    uint32_t before = times_slept(child);
    injection.pid = injection.tid = injection.host = (uint32_t)child;
    CHECK_OK(prof_inject_undo(
        &injection, injection.tid, (uint64_t)(uintptr_t)&word, word, NULL));
    CHECK_EQ(times_slept(child), before);
    CHECK_EQ(waitpid(child, NULL, WNOHANG), 0);
    end(child);
}
