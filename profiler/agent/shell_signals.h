/*
 * The dispositions that the program believes in. Those of our signals stand in
 * the core and never in the kernel, where ours stay; the handler passes on what
 * is not a sample.
 */
#ifndef PROFILER_AGENT_SHELL_SIGNALS_H
#define PROFILER_AGENT_SHELL_SIGNALS_H

#include "profiler/agent/shell_action.h"

/*
 * sigaction(2) as the program is to see it.
 *
 *   next     what takes to the kernel those that are not ours
 *   errors   as sigaction(2)
 *   context  any that sigaction(2) may be called in
 */
int shell_signals_act(
    shell_action_function *next, int number, const struct sigaction *wanted,
    struct sigaction *old);

/* Whose dispositions a vfork child has set itself: bits 1 << signal. */
unsigned shell_signals_of_guest(void);

#endif
