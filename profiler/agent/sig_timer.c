/*
 * How a timer is made. A thread's own place for it is taken before it is made:
 * the event that brings one may come in the middle of its beginning.
 */
#include "profiler/agent/sig_timer.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <time.h>

#include "profiler/agent/sig_core.h"
#include "profiler/agent/sys.h"
#include "profiler/base/cycles_x86_64.h"
#include "profiler/wire/cookie.h"

/* struct sigevent as the kernel reads it, with SIGEV_THREAD_ID. */
struct kernel_sigevent {
    uint64_t value;
    int signal, notify, tid;
    int padding[12];
};

/* The kernel's clock id of a thread's CPU time: CPUCLOCK_PERTHREAD_MASK | 2. */
static long thread_clock(int tid)
{
    return (long)(int)(~(unsigned)tid << 3 | 6);
}

static struct timespec to_timespec(uint64_t ns)
{
    return (struct timespec){
        .tv_sec = (time_t)(ns / 1000000000u),
        .tv_nsec = (long)(ns % 1000000000u)};
}

SIGNAL_SAFE int prof_timer_make(
    int tid, uint64_t value, uint64_t first_ns, uint64_t interval_ns)
{
    struct kernel_sigevent event = {
        .value = value,
        .signal = prof_core.config.tick_signal,
        .notify = SIGEV_THREAD_ID,
        .tid = tid};
    int timer = -1;
    long result =
        sys_call3(__NR_timer_create, thread_clock(tid), &event, &timer);
    if (result < 0) {
        /* RLIMIT_SIGPENDING: every timer holds a signal. Or it has ended. */
        if (result != -EINVAL)
            atomic_fetch_add_explicit(
                &prof_core.ring.header->lost_timers, 1, memory_order_relaxed);
        return (int)result;
    }
    struct itimerspec times = {
        .it_value = to_timespec(first_ns),
        .it_interval = to_timespec(interval_ns)};
    (void)sys_call4(__NR_timer_settime, (long)timer, 0L, &times, (void *)NULL);
    return timer;
}

SIGNAL_SAFE bool prof_timers_are_changed(void)
{
    return atomic_load_explicit(
               &prof_core.ring.header->is_on_timers, memory_order_relaxed) != 0;
}

SIGNAL_SAFE void prof_timer_change(uint64_t first_ns)
{
    enum { BEING_MADE = -1 };
    _Atomic int *place = prof_core.config.own_timer();
    int none = 0;
    if (!atomic_compare_exchange_strong(place, &none, BEING_MADE))
        return;
    int timer = prof_timer_make(
        (int)prof_core_tid(), WIRE_CHANGED_COOKIE, first_ns,
        prof_core.period_ns);
    atomic_store_explicit(
        place, timer < 0 ? BEING_MADE : timer + 1, memory_order_relaxed);
}

SIGNAL_SAFE void prof_timer_change_by_event(void)
{
    /* Pairs with the release in prof_core_start(): the ring is there. */
    if (!atomic_load_explicit(&prof_core.is_active, memory_order_acquire) ||
        prof_core_is_silent() || prof_core.config.own_timer == NULL ||
        atomic_load_explicit(
            &prof_core.ring.header->is_stopped, memory_order_relaxed))
        return;
    /* Threads do not expire together. */
    prof_timer_change(1 + cycles_random() % prof_core.period_ns);
}
