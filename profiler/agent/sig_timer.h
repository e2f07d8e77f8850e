/*
 * A CPU-clock timer for a thread, made by whoever may: also in a handler, where
 * such a timer comes for a perf event (wire/header.h, CHANGE).
 */
#ifndef PROFILER_AGENT_SIG_TIMER_H
#define PROFILER_AGENT_SIG_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/status.h"

/*
 * Make one for the thread `tid` of this process. Two system calls.
 *
 *   value        WIRE_COOKIE, or WIRE_CHANGED_COOKIE
 *   first_ns     of the thread's CPU time
 *   interval_ns  0: it expires once
 *   returns      the timer, or a negative errno; one that was refused is
 *                counted
 */
SIGNAL_SAFE int prof_timer_make(
    int tid, uint64_t value, uint64_t first_ns, uint64_t interval_ns);

/* Whether threads have timers in place of the perf events they had. */
SIGNAL_SAFE bool prof_timers_are_changed(void);

/*
 * Give the calling thread such a timer, unless it has one, and let it expire
 * first after `first_ns`.
 */
SIGNAL_SAFE void prof_timer_change(uint64_t first_ns);

/* The same by the event that brings it. */
SIGNAL_SAFE void prof_timer_change_by_event(void);

#endif
