/* Which calls a thread may be held in. */
#include "tests/harness.h"

#include <sys/syscall.h>

#include "profiler/attach/held_call.h"

static bool may_hold(int64_t number, unsigned argument, uint64_t value)
{
    struct prof_held_call call = {.number = number};
    call.arguments[argument] = value;
    return prof_call_may_be_held(&call, false);
}

TEST(held_call_spares_deadlines_that_the_kernel_forgets)
{
    CHECK(!may_hold(SYS_epoll_wait, 3, 1000));
    CHECK(!may_hold(SYS_epoll_wait, 3, 0));
    CHECK(!may_hold(SYS_rt_sigtimedwait, 2, 0x7fff0000));
    CHECK(!may_hold(SYS_recvfrom, 0, 0));
    CHECK(!may_hold(SYS_close, 0, 3));
}

TEST(held_call_takes_waits_without_one)
{
    CHECK(may_hold(SYS_epoll_wait, 3, UINT32_MAX)); /* -1, as an int */
    CHECK(may_hold(SYS_epoll_wait, 3, UINT64_MAX));
    CHECK(may_hold(SYS_rt_sigtimedwait, 2, 0));
    CHECK(may_hold(SYS_wait4, 0, 0));
    CHECK(may_hold(-1, 0, 0));
}

TEST(held_call_leaves_to_the_kernel_what_it_remembers)
{
    struct prof_held_call call = {.number = SYS_poll, .arguments = {0, 0, 9}};
    CHECK(prof_call_may_be_held(&call, false));
    /* restart_syscall(2) is not in the program's filter. */
    CHECK(!prof_call_may_be_held(&call, true));
}
