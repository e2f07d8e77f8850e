/*
 * The CPU-clock timers of a process that began without us: one for each of its
 * threads, made from our own thread. No call of the program's is interposed, so
 * threads that come and go are found by looking.
 *
 * A thread that blocks our signal gets none: the tick would wait there, and
 * turn up where the program looks for signals of its own. Libraries block all
 * for a moment while a thread begins; who does is looked at again. Nor does one
 * with other seccomp filters than those that were judged
 * (profiler/attach/guest_calls.h).
 */
#ifndef PROFILER_AGENT_GUEST_TIMERS_H
#define PROFILER_AGENT_GUEST_TIMERS_H

#include <stdbool.h>
#include <stdint.h>

/* Threads beyond these are not sampled. */
#define PROF_GUEST_TIMERS_MAX 65536u

struct prof_guest_timers;

/*
 * NULL when there is no memory.
 *
 *   chosen  the only threads to be sampled, `count` of them, borrowed; 0: all
 */
struct prof_guest_timers *prof_guest_timers_make(
    const uint32_t *chosen, uint32_t count);

/*
 * Arm those that have come, delete the timers of those that have gone.
 *
 *   returns  how many threads cannot be armed just now
 */
uint32_t prof_guest_timers_look(struct prof_guest_timers *timers);

/* Whether there is no thread but ours, or ended ones. */
bool prof_guest_timers_is_alone(struct prof_guest_timers *timers);

/* Delete them all, and the table. */
void prof_guest_timers_end(struct prof_guest_timers *timers);

#endif
