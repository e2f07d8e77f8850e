/* A thread that is held, and goes on. */
#include "tests/harness.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiler/attach/tracee.h"
#include "tests/profiler/attach/told.h"

static void keep_registers(void *owner, const struct prof_regs *regs)
{
    *(struct prof_regs *)owner = *regs;
}

/* ---- one that computes ---- */

__attribute__((noinline)) static void compute(void)
{
    for (;;)
        told->rounds++;
}

TEST(tracee_shows_the_registers_of_one_that_runs)
{
    pid_t child = start_child(compute);
    wait_for_first_round();
    for (int i = 0; i < 20; i++) {
        struct prof_regs regs;
        struct prof_hold hold = {
            .tid = (uint32_t)child,
            .is_running = true,
            .visit = keep_registers,
            .owner = &regs};
        CHECK_EQ(prof_tracee_hold(&hold), PROF_HOLD_DONE);
        /* It was forked from us: its code is where ours is. */
        CHECK_EQ(regs.known, PROF_REGS_ALL);
        uint64_t begin = (uint64_t)(uintptr_t)compute;
        CHECK(regs.value[PROF_REG_PC] - begin < 256);
        CHECK(hold.held_ns > 0);
        wait_for_rounds(1000);
    }
    end_child(child);
}

/* ---- those that wait: the wait goes on ---- */

static void wait_by_epoll(void)
{
    int fd = epoll_create1(0);
    struct epoll_event event;
    told->rounds++;
    told->result = epoll_wait(fd, &event, 1, -1) < 0 ? errno : 0;
    told->rounds++;
}

static void wait_by_poll(void)
{
    told->rounds++;
    told->result = poll(NULL, 0, -1) < 0 ? errno : 0;
    told->rounds++;
}

static void check_that_it_waits_on(child_main *run, bool is_running)
{
    pid_t child = start_child(run);
    wait_for_first_round();
    for (int i = 0; i < 20; i++) {
        struct prof_regs regs;
        struct prof_hold hold = {
            .tid = (uint32_t)child,
            .is_running = is_running,
            .visit = keep_registers,
            .owner = &regs};
        wait_for_state(child, 'S');
        CHECK_EQ(prof_tracee_hold(&hold), PROF_HOLD_DONE);
    }
    wait_for_state(child, 'S');
    CHECK_EQ(told->rounds, 1);
    end_child(child);
}

TEST(tracee_lets_a_call_go_on_that_would_end_with_EINTR)
{
    check_that_it_waits_on(wait_by_epoll, true);
    check_that_it_waits_on(wait_by_epoll, false);
}

TEST(tracee_lets_a_call_go_on_that_the_kernel_remembers)
{
    check_that_it_waits_on(wait_by_poll, true);
    check_that_it_waits_on(wait_by_poll, false);
}

/* In deep sleep first, where no stop reaches it: a parent waits so in vfork(2)
   until its child, which is not held, has gone. */
static void sleep_deeply_and_wait(void)
{
    if (vfork() == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        while (!told->may_go)
            (void)usleep(1000);
        _exit(0);
    }
    wait_by_epoll();
}

/* It has not stopped in time: what was begun is ended as if it had not been. */
TEST(tracee_lets_a_call_go_on_that_it_has_no_patience_for)
{
    for (int is_running = 0; is_running < 2; is_running++) {
        struct prof_regs regs;
        pid_t child = start_child(sleep_deeply_and_wait);
        struct prof_hold hold = {
            .tid = (uint32_t)child,
            .is_running = is_running,
            .visit = keep_registers,
            .owner = &regs};
        wait_for_state(child, 'D');
        CHECK_EQ(prof_tracee_hold(&hold), PROF_HOLD_LATE);
        told->may_go = true;
        wait_for_first_round();
        wait_for_state(child, 'S');
        CHECK_EQ(told->rounds, 1);
        end_child(child);
    }
}

/* ---- a signal that comes at the same time ---- */

static void take_signal(int signal)
{
    (void)signal;
}

static void wait_with_handler(void)
{
    struct sigaction action = {.sa_handler = take_signal};
    (void)sigaction(SIGUSR1, &action, NULL);
    int fd = epoll_create1(0);
    struct epoll_event event;
    for (;;) {
        told->rounds++;
        if (epoll_wait(fd, &event, 1, -1) == 0 || errno != EINTR)
            told->result = -1;
    }
}

static void signal_meanwhile(void *owner, const struct prof_regs *regs)
{
    (void)regs;
    (void)kill(*(pid_t *)owner, SIGUSR1);
}

TEST(tracee_leaves_a_signal_its_effect)
{
    pid_t child = start_child(wait_with_handler);
    wait_for_first_round();
    for (int i = 0; i < 50; i++) {
        struct prof_hold hold = {
            .tid = (uint32_t)child, .visit = signal_meanwhile, .owner = &child};
        wait_for_state(child, 'S');
        uint64_t before = told->rounds;
        CHECK_EQ(prof_tracee_hold(&hold), PROF_HOLD_DONE);
        /* Interrupted by its own signal, as without us. */
        while (told->rounds == before)
            (void)usleep(500);
        CHECK_EQ(told->result, 0);
    }
    end_child(child);
}

TEST(tracee_tells_who_is_gone)
{
    pid_t child = start_child(compute);
    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
    struct prof_hold hold = {.tid = (uint32_t)child, .visit = keep_registers};
    CHECK_EQ(prof_tracee_hold(&hold), PROF_HOLD_GONE);
    (void)munmap(told, sizeof *told);
}
