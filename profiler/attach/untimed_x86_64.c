/* Waits that have no time limit; see the header. */
#include "profiler/attach/untimed.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

/* The same file as the process's descriptor; negative: it is not given. */
static int borrow(uint32_t pid, uint64_t fd)
{
    int process = (int)syscall(SYS_pidfd_open, pid, 0);
    if (process < 0)
        return -1;
    int borrowed = (int)syscall(SYS_pidfd_getfd, process, (int)fd, 0);
    (void)close(process);
    return borrowed;
}

static bool is_socket_untimed(int fd)
{
    struct timeval limit;
    socklen_t bytes = sizeof limit;
    return getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, &bytes) == 0 &&
           limit.tv_sec == 0 && limit.tv_usec == 0;
}

/* Whether reading waits until something comes. */
static bool is_read_untimed(uint32_t pid, uint64_t fd)
{
    struct stat found;
    int borrowed = borrow(pid, fd);
    if (borrowed < 0)
        return false;
    bool is_untimed = fstat(borrowed, &found) == 0 &&
                      (S_ISSOCK(found.st_mode) ? is_socket_untimed(borrowed)
                                               : !S_ISREG(found.st_mode));
    (void)close(borrowed);
    return is_untimed;
}

bool prof_call_is_untimed(uint32_t pid, const struct prof_held_call *call)
{
    const uint64_t *arguments = call->arguments;
    switch (call->number) {
    case SYS_nanosleep:
    case SYS_clock_nanosleep:
    case SYS_restart_syscall:
        return false;
    case SYS_poll:
        return (int32_t)arguments[2] < 0;
    case SYS_ppoll:
        return arguments[2] == 0;
    case SYS_futex:
        return arguments[3] == 0;
    case SYS_select:
    case SYS_pselect6:
        return arguments[4] == 0;
    case SYS_recvfrom: /* MSG_WAITALL may have a part already */
        return (arguments[3] & MSG_WAITALL) == 0 &&
               is_read_untimed(pid, arguments[0]);
    case SYS_recvmsg:
        return (arguments[2] & MSG_WAITALL) == 0 &&
               is_read_untimed(pid, arguments[0]);
    case SYS_read:
    case SYS_readv:
    case SYS_accept:
    case SYS_accept4:
        return is_read_untimed(pid, arguments[0]);
    default:
        return prof_call_may_be_held(call, false);
    }
}
