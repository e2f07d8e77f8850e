/* Libraries between this one and libc that have a sigaction() of their own. */
#ifndef PROFILER_AGENT_SHELL_BETWEEN_H
#define PROFILER_AGENT_SHELL_BETWEEN_H

#include <stdbool.h>

#include "profiler/agent/shell_action.h"

/* Whether there is one that passes on to shell_between_action(). */
bool shell_between_is(void);
shell_action_function shell_between_action;

/* Have it show that, before there are samples. */
void shell_between_ask(void);

/* What dlsym() gives `caller` instead of libc's own; NULL: nothing. */
void *shell_between_answer(void *handle, const char *name, const void *caller);

#endif
