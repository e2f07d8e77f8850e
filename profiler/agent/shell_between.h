/* Libraries between this one and libc that have a sigaction() of their own. */
#ifndef PROFILER_AGENT_SHELL_BETWEEN_H
#define PROFILER_AGENT_SHELL_BETWEEN_H

#include <signal.h>
#include <stdbool.h>

typedef int shell_action_function(
    int number, const struct sigaction *wanted, struct sigaction *old);

/* Whether there is one that passes on to shell_between_action(). */
bool shell_between_is(void);
shell_action_function shell_between_action;

/* Have it show that, before there are samples. */
void shell_between_ask(void);

/* What dlsym() gives `caller` instead of libc's own; NULL: nothing. */
void *shell_between_answer(void *handle, const char *name, const void *caller);

/*
 * sigaction() as the program is to see it (shell_signals.c).
 *
 *   next  what takes actions to the kernel
 */
int shell_signals_act(
    shell_action_function *next, int number, const struct sigaction *wanted,
    struct sigaction *old);

#endif
