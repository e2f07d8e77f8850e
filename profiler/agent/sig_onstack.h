/* Handlers of the program's on its alternate stack, started by us. */
#ifndef PROFILER_AGENT_SIG_ONSTACK_H
#define PROFILER_AGENT_SIG_ONSTACK_H

#include "profiler/agent/kernel_sigaction.h"
#include "profiler/base/status.h"

/*
 * Handlers of the program's that ask for the alternate stack, by signal, where
 * the kernel was given prof_handle_on_stack() instead: it starts the one that
 * was kept.
 */
void prof_onstack_keep(int signal, const struct prof_kernel_sigaction *action);
SIGNAL_SAFE const struct prof_kernel_sigaction *prof_onstack_kept(int signal);
__attribute__((visibility("hidden"))) SIGNAL_SAFE void prof_handle_on_stack(
    int signal, void *info, void *ucontext);

#endif
