/* The program's alternate stacks, and the handlers that run there. */
#ifndef PROFILER_AGENT_SHELL_ALTERNATE_H
#define PROFILER_AGENT_SHELL_ALTERNATE_H

#include <signal.h>

#include "profiler/agent/core.h"
#include "profiler/agent/shell_action.h"

/* What the program has set in the calling thread; size 0: nothing. */
SIGNAL_SAFE struct prof_alternate shell_alternate_here(void);

/* sigaction(2) for signals that are not ours; `next` takes them further. */
int shell_alternate_action(
    shell_action_function *next, int number, const struct sigaction *wanted,
    struct sigaction *old);

/* The handler the program knows, for what libc or the kernel names. */
__sighandler_t shell_alternate_believed(int number, __sighandler_t handler);

/*
 * Where crashes are caught: the calling thread gets one of ours.
 *
 *   stack_bytes  of the stack it is on, near the beginning of which it is
 */
void shell_alternate_begin(size_t stack_bytes);

/* The same for the first thread. */
void shell_alternate_begin_first(void);

/* At the end of the calling thread: the kernel gets the program's stack. */
void shell_alternate_drop(void);

#endif
