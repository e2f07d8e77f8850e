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

#include "profiler/agent/sig_core.h"
#include "profiler/agent/sig_presence.h"
#include "profiler/agent/sig_rest.h"
#include "profiler/agent/sig_timer.h"
#include "profiler/agent/sys.h"
#include "profiler/base/cycles_x86_64.h"
#include "profiler/wire/cookie.h"

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
           prof_timers_are_changed() ||
           ((prof_core.actions & WIRE_ARM_BRIEF) != 0 &&
            atomic_load_explicit(&header->rest, memory_order_relaxed) !=
                WIRE_AT_REST);
}

int prof_timer_arm(int tid, enum prof_timer_use use)
{
    bool is_repeated = (prof_core.actions & WIRE_ARM_TIMERS) != 0 ||
                       use != PROF_TIMER_BEGINNING;
    /* Threads that stand already do not expire together. */
    return prof_timer_make(
        tid, WIRE_COOKIE,
        use == PROF_TIMER_BEGINNING ? PROF_TIMER_AT_ONCE_NS
                                    : 1 + cycles_random() % prof_core.period_ns,
        is_repeated ? prof_core.period_ns : 0);
}

void prof_timer_disarm(int timer)
{
    if (timer < 0 || prof_core_is_silent())
        return;
    prof_timer_forget(timer);
    (void)sys_call1(__NR_timer_delete, (long)timer);
}
