/* Calls that may be interrupted; see the header. */
#include "profiler/attach/held_call.h"

#include <stddef.h>
#include <sys/syscall.h>

/* Where a call that the kernel ends with EINTR has its deadline. */
enum deadline {
    IN_MILLISECONDS, /* negative: none */
    BEHIND_POINTER,  /* NULL: none */
    ELSEWHERE,       /* in what the call is about: SO_RCVTIMEO, SO_SNDTIMEO */
};

struct lost_deadline {
    int64_t number;
    enum deadline kind;
    unsigned argument;
};

/* signal(7), "Interruption of system calls and library functions by stop
 * signals", and what has come since. */
static const struct lost_deadline lost[] = {
    {SYS_epoll_wait, IN_MILLISECONDS, 3},
    {SYS_epoll_pwait, IN_MILLISECONDS, 3},
    {SYS_epoll_pwait2, BEHIND_POINTER, 3},
    {SYS_rt_sigtimedwait, BEHIND_POINTER, 2},
    {SYS_semtimedop, BEHIND_POINTER, 3},
    {SYS_io_getevents, BEHIND_POINTER, 4},
    {SYS_io_pgetevents, BEHIND_POINTER, 4},
    {SYS_io_uring_enter, ELSEWHERE, 0},
    {SYS_accept, ELSEWHERE, 0},
    {SYS_accept4, ELSEWHERE, 0},
    {SYS_connect, ELSEWHERE, 0},
    {SYS_recvfrom, ELSEWHERE, 0},
    {SYS_recvmsg, ELSEWHERE, 0},
    {SYS_recvmmsg, ELSEWHERE, 0},
    {SYS_sendto, ELSEWHERE, 0},
    {SYS_sendmsg, ELSEWHERE, 0},
    {SYS_sendmmsg, ELSEWHERE, 0},
    /* Sockets are read and written as well. */
    {SYS_read, ELSEWHERE, 0},
    {SYS_readv, ELSEWHERE, 0},
    {SYS_write, ELSEWHERE, 0},
    {SYS_writev, ELSEWHERE, 0},
    {SYS_sendfile, ELSEWHERE, 0},
    {SYS_splice, ELSEWHERE, 0},
    /* Interrupted, it has closed. */
    {SYS_close, ELSEWHERE, 0},
};

static bool has_deadline(
    const struct lost_deadline *kind, const struct prof_held_call *call)
{
    uint64_t value = call->arguments[kind->argument];
    switch (kind->kind) {
    case IN_MILLISECONDS:
        return (int32_t)value >= 0;
    case BEHIND_POINTER:
        return value != 0;
    default:
        return true;
    }
}

/* Calls whose rest the kernel remembers, for restart_syscall(2). */
static bool is_remembered(int64_t number)
{
    return number == SYS_nanosleep || number == SYS_clock_nanosleep ||
           number == SYS_poll || number == SYS_futex ||
           number == SYS_restart_syscall;
}

bool prof_call_may_be_held(const struct prof_held_call *call, bool is_filtered)
{
    for (size_t i = 0; i < sizeof lost / sizeof lost[0]; i++) {
        if (lost[i].number == call->number && has_deadline(&lost[i], call))
            return false;
    }
    return !is_filtered || !is_remembered(call->number);
}
