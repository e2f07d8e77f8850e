/*
 * The signal of a guest's ticks: one that is ignored by default, so that
 * nobody is hurt if the program takes it back while timers run, and that who
 * handles it must expect to mean nothing. SIGURG, unless more threads are deaf
 * to it than to SIGWINCH: PostgreSQL's processes read SIGURG from a descriptor,
 * and block it for that.
 */
#ifndef PROFILER_AGENT_GUEST_SIGNAL_H
#define PROFILER_AGENT_GUEST_SIGNAL_H

/* By what threads block just now. */
int prof_guest_signal_choose(void);

#endif
