/*
 * Timers whose ticks nobody wants: only their process can stop them, and only
 * a tick shows that they are wanted again.
 */
#ifndef PROFILER_AGENT_SIG_REST_H
#define PROFILER_AGENT_SIG_REST_H

#include "profiler/base/status.h"

/* There are new timers, and none rests. */
void prof_timer_rest_begin(void);

/*
 * In the handler of such a tick: let the timer rest, for good when sampling has
 * ended. One system call or two, and at most seven such ticks.
 */
SIGNAL_SAFE void prof_timer_rest(int timer);

/* In the handler of a tick that is wanted: a timer that rested goes on. */
SIGNAL_SAFE void prof_timer_wake(int timer);

#endif
