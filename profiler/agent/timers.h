/* CPU-clock timers, for threads that no perf event covers. */
#ifndef PROFILER_AGENT_TIMERS_H
#define PROFILER_AGENT_TIMERS_H

#include <stdbool.h>

/* Until the first expiry, of a thread that begins. */
#define PROF_TIMER_AT_ONCE_NS 1

/* What a CPU-clock timer is for. */
enum prof_timer_use {
    PROF_TIMER_STANDING,  /* a thread that stands already: as fast as asked */
    PROF_TIMER_BEGINNING, /* a thread that begins */
    PROF_TIMER_LOSING,    /* a thread whose perf event misses time */
};

/*
 * Arm a CPU-clock timer for the thread `tid` of this process.
 *
 * In a thread that begins, it expires at the first tick that finds the thread
 * running: for one that ends within a period this is the only chance to be
 * seen. What such a sample stands for is decided by the collector.
 *
 *   returns  the timer, or a negative errno
 */
int prof_timer_arm(int tid, enum prof_timer_use use);
void prof_timer_disarm(int timer);

/* Whether a thread that begins needs a timer. */
bool prof_timers_wanted(void);

#endif
