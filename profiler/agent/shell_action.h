/* What is done on a signal, as libc says it and as the kernel takes it. */
#ifndef PROFILER_AGENT_SHELL_ACTION_H
#define PROFILER_AGENT_SHELL_ACTION_H

#include <signal.h>

#include "profiler/agent/kernel_sigaction.h"

/* As sigaction(2): whoever takes an action nearer to the kernel. */
typedef int shell_action_function(
    int number, const struct sigaction *wanted, struct sigaction *old);

/* With the restorer that libc would have added: the program can read it back.
 */
void shell_action_to_kernel(
    struct prof_kernel_sigaction *to, const struct sigaction *from);

void shell_action_from_kernel(
    struct sigaction *to, const struct prof_kernel_sigaction *from);

#endif
