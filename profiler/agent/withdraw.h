/* The end of sampling in a process that goes on. */
#ifndef PROFILER_AGENT_WITHDRAW_H
#define PROFILER_AGENT_WITHDRAW_H

/*
 * Sampling cannot go on in this process: end it, events, timers and all, and
 * have the collector told why. In normal context, or where a signal of the
 * program's is handled.
 */
void prof_core_withdraw(const char *reason);

#endif
