/* Which waits have no time limit. */
#include "tests/harness.h"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "profiler/attach/untimed.h"

static bool is_untimed(int64_t number, unsigned argument, uint64_t value)
{
    struct prof_held_call call = {.number = number};
    call.arguments[argument] = value;
    return prof_call_is_untimed((uint32_t)getpid(), &call);
}

TEST(untimed_reads_it_from_the_call)
{
    CHECK(is_untimed(SYS_futex, 3, 0));
    CHECK(!is_untimed(SYS_futex, 3, 4096));
    CHECK(is_untimed(SYS_poll, 2, UINT32_MAX));
    CHECK(!is_untimed(SYS_poll, 2, 100));
    CHECK(is_untimed(SYS_epoll_wait, 3, UINT32_MAX));
    CHECK(!is_untimed(SYS_epoll_wait, 3, 100));
    CHECK(!is_untimed(SYS_nanosleep, 0, 4096));
    CHECK(is_untimed(SYS_wait4, 0, 0));
    CHECK(!is_untimed(SYS_write, 0, 0)); /* a part may have been written */
}

TEST(untimed_asks_the_descriptor)
{
    int ends[2], sockets[2];
    CHECK_OK(pipe(ends));
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
    CHECK(is_untimed(SYS_read, 0, (uint64_t)ends[0]));
    CHECK(is_untimed(SYS_read, 0, (uint64_t)sockets[0]));
    CHECK(is_untimed(SYS_recvfrom, 0, (uint64_t)sockets[0]));
    struct timeval limit = {.tv_sec = 1};
    CHECK_OK(
        setsockopt(sockets[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
    CHECK(!is_untimed(SYS_read, 0, (uint64_t)sockets[0]));
    CHECK(!is_untimed(SYS_recvfrom, 0, (uint64_t)sockets[0]));
    CHECK(!is_untimed(SYS_read, 0, 1000000)); /* there is no such */
    for (int i = 0; i < 2; i++) {
        (void)close(ends[i]);
        (void)close(sockets[i]);
    }
}
