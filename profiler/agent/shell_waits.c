/*
 * Interposed: calls that wait with a signal mask of their own, and those that
 * take a signal out of the queue.
 *
 * The handler keeps back a SIGTRAP or SIGPROF that the program believes to
 * have blocked. While one of the first kind waits, its mask is what is
 * believed: the usual pattern blocks a signal and lets it in only here. Those
 * of the second kind find what was held back (sig_pass.c), and hand out no
 * sample.
 *
 * All are cancellation points; a thread that is cancelled in one needs no
 * belief any more.
 */
#include "profiler/agent/shell.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <time.h>

#include "profiler/agent/sig_expiry.h"
#include "profiler/agent/sig_pass.h"
#include "profiler/agent/signals.h"

static int end_wait(int result, unsigned before)
{
    int saved_errno = errno;
    shell_mask_resume(before);
    errno = saved_errno;
    return result;
}

INTERPOSE int sigsuspend(const sigset_t *mask)
{
    unsigned before = shell_mask_assume(mask);
    return end_wait(shell_real()->sigsuspend(mask), before);
}

INTERPOSE int ppoll(
    struct pollfd *fds, nfds_t count, const struct timespec *timeout,
    const sigset_t *mask)
{
    unsigned before = shell_mask_assume(mask);
    return end_wait(shell_real()->ppoll(fds, count, timeout, mask), before);
}

INTERPOSE int __ppoll_chk(
    struct pollfd *fds, nfds_t count, const struct timespec *timeout,
    const sigset_t *mask, size_t room)
{
    unsigned before = shell_mask_assume(mask);
    return end_wait(
        shell_real()->__ppoll_chk(fds, count, timeout, mask, room), before);
}

INTERPOSE int pselect(
    int count, fd_set *reads, fd_set *writes, fd_set *others,
    const struct timespec *timeout, const sigset_t *mask)
{
    unsigned before = shell_mask_assume(mask);
    return end_wait(
        shell_real()->pselect(count, reads, writes, others, timeout, mask),
        before);
}

INTERPOSE int epoll_pwait(
    int epoll, struct epoll_event *events, int count, int timeout_ms,
    const sigset_t *mask)
{
    unsigned before = shell_mask_assume(mask);
    return end_wait(
        shell_real()->epoll_pwait(epoll, events, count, timeout_ms, mask),
        before);
}

INTERPOSE int epoll_pwait2(
    int epoll, struct epoll_event *events, int count,
    const struct timespec *timeout, const sigset_t *mask)
{
    unsigned before = shell_mask_assume(mask);
    return end_wait(
        shell_real()->epoll_pwait2(epoll, events, count, timeout, mask),
        before);
}

/* ---- taking signals ---- */

static int64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static struct timespec left_until(int64_t end_ns)
{
    int64_t left_ns = end_ns - now_ns();
    if (left_ns < 0)
        left_ns = 0;
    return (struct timespec){
        .tv_sec = left_ns / 1000000000, .tv_nsec = left_ns % 1000000000};
}

/* One that was held back; 0: none was. */
static int take_held(unsigned ours, siginfo_t *info)
{
    static const int numbers[] = {SIGTRAP, SIGPROF};
    for (int i = 0; i < 2; i++) {
        if (ours & 1u << numbers[i] && prof_signal_take_held(numbers[i], info))
            return numbers[i];
    }
    return 0;
}

static void await(unsigned ours, int tid)
{
    if (ours & 1u << SIGTRAP)
        prof_signal_await(SIGTRAP, tid);
    if (ours & 1u << SIGPROF)
        prof_signal_await(SIGPROF, tid);
}

/*
 * Ours are blocked, so what comes waits in the queue: a sample, which nobody
 * else is to see, a signal of the program's, or word of one that another
 * thread has held back.
 */
static int take_signal(
    const sigset_t *set, unsigned ours, siginfo_t *info,
    const struct timespec *timeout)
{
    struct timespec left = timeout ? *timeout : (struct timespec){0};
    int64_t end_ns =
        timeout ? now_ns() + left.tv_sec * INT64_C(1000000000) + left.tv_nsec
                : 0;
    for (;;) {
        int number = take_held(ours, info);
        if (number != 0)
            return number;
        number = shell_real()->sigtimedwait(set, info, timeout ? &left : NULL);
        if (number < 0 || !prof_signal_is_sampling(number))
            return number;
        bool is_sample = prof_signal_take(number, info) != 0;
        if (!is_sample && !prof_signal_is_held(number))
            return number;
        if (timeout != NULL)
            left = left_until(end_ns);
    }
}

INTERPOSE int sigtimedwait(
    const sigset_t *set, siginfo_t *info, const struct timespec *timeout)
{
    siginfo_t own;
    unsigned ours = shell_mask_ours_in(set);
    if (ours == 0)
        return shell_real()->sigtimedwait(set, info, timeout);
    shell_mask_begin_taking(ours);
    await(ours, gettid());
    int number = take_signal(set, ours, info != NULL ? info : &own, timeout);
    await(ours, 0);
    shell_mask_end_taking(ours);
    return number;
}

INTERPOSE int sigwaitinfo(const sigset_t *set, siginfo_t *info)
{
    return shell_mask_ours_in(set) != 0 ? sigtimedwait(set, info, NULL)
                                        : shell_real()->sigwaitinfo(set, info);
}

INTERPOSE int sigwait(const sigset_t *set, int *number)
{
    if (shell_mask_ours_in(set) == 0)
        return shell_real()->sigwait(set, number);
    int taken;
    do
        taken = sigtimedwait(set, NULL, NULL);
    while (taken < 0 && errno == EINTR);
    if (taken < 0)
        return errno;
    *number = taken;
    return 0;
}

INTERPOSE int sigpending(sigset_t *set)
{
    int result = shell_real()->sigpending(set);
    if (result != 0 || !prof_signal_is_ours(SIGTRAP))
        return result;
    if (prof_signal_is_held(SIGTRAP))
        (void)sigaddset(set, SIGTRAP);
    if (prof_signal_is_held(SIGPROF))
        (void)sigaddset(set, SIGPROF);
    return 0;
}

INTERPOSE int signalfd(int fd, const sigset_t *set, int flags)
{
    unsigned ours = shell_mask_ours_in(set);
    if (ours != 0)
        prof_signal_note_read(ours);
    return shell_real()->signalfd(fd, set, flags);
}
