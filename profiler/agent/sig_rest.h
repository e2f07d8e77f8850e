/*
 * Timers whose ticks nobody wants: only their process can stop them. Either
 * only a tick shows that they are wanted again, or the program starts a
 * transaction, and whoever does so wakes them (wire/header.h, REST).
 */
#ifndef PROFILER_AGENT_SIG_REST_H
#define PROFILER_AGENT_SIG_REST_H

#include <stdbool.h>

#include "profiler/base/status.h"

/* There are new timers, and none rests. */
void prof_timer_rest_begin(void);

/*
 * In the handler of such a tick: let the timer rest, for good when sampling has
 * ended. One system call or two, and where nobody is there any more at most
 * seven such ticks.
 */
SIGNAL_SAFE void prof_timer_rest(int timer);

/* In the handler of a tick that is wanted: a timer that rested goes on. */
SIGNAL_SAFE void prof_timer_wake(int timer);

/*
 * Whether timers rest that a transaction wakes; and wake them, from any thread:
 * two system calls for each. A timer that is to be deleted is forgotten first.
 */
bool prof_timers_are_at_rest(void);
void prof_timers_wake(void);
void prof_timer_forget(int timer);

#endif
