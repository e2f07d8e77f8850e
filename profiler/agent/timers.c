/*
 * CPU-clock timers: what drives sampling where perf events may not be opened,
 * and what shows kernel time where perf events may not look into the kernel.
 *
 * A timer on a thread's own CPU clock expires at the kernel's tick, so the
 * rate is capped at CONFIG_HZ; the expiries that were due meanwhile come as
 * si_overrun, and the weights stay right (timer_create(2),
 * timer_getoverrun(2)).
 */
#include "profiler/agent/timers.h"

#include "profiler/agent/core.h"
#include "profiler/agent/sig_presence.h"
#include "profiler/agent/sig_rest.h"
#include "profiler/agent/sys.h"
#include "profiler/base/cycles_x86_64.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

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

bool prof_timers_wanted(void)
{
    const struct wire_header *header = prof_core.ring.header;
    if (!prof_core_is_ours() ||
        atomic_load_explicit(&header->is_stopped, memory_order_relaxed) ||
        (atomic_load_explicit(&header->is_given_up, memory_order_relaxed) &&
         prof_presence_is_gone(header)))
        return false;
    /* A first tick is of no use later, a timer is. */
    return (prof_core.actions & WIRE_ARM_TIMERS) != 0 ||
           ((prof_core.actions & WIRE_ARM_BRIEF) != 0 &&
            atomic_load_explicit(&header->rest, memory_order_relaxed) !=
                WIRE_AT_REST);
}

static struct timespec to_timespec(uint64_t ns)
{
    return (struct timespec){
        .tv_sec = (time_t)(ns / 1000000000u),
        .tv_nsec = (long)(ns % 1000000000u)};
}

int prof_timer_arm(int tid, enum prof_timer_use use)
{
    struct kernel_sigevent event = {
        .value = WIRE_COOKIE,
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

    bool is_repeated = (prof_core.actions & WIRE_ARM_TIMERS) != 0 ||
                       use != PROF_TIMER_BEGINNING;
    /* Threads that stand already do not expire together. */
    struct itimerspec times = {
        .it_value = to_timespec(
            use == PROF_TIMER_BEGINNING
                ? 1
                : 1 + cycles_random() % prof_core.period_ns),
        .it_interval = to_timespec(is_repeated ? prof_core.period_ns : 0)};
    (void)sys_call4(__NR_timer_settime, (long)timer, 0L, &times, (void *)NULL);
    return timer;
}

void prof_timer_disarm(int timer)
{
    if (timer < 0 || prof_core_is_silent())
        return;
    prof_timer_forget(timer);
    (void)sys_call1(__NR_timer_delete, (long)timer);
}
