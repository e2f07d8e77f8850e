/* Starting a handler of the program's as the kernel would have. */
#ifndef PROFILER_AGENT_SIG_DELIVER_H
#define PROFILER_AGENT_SIG_DELIVER_H

#include "profiler/agent/kernel_sigaction.h"
#include "profiler/base/status.h"

/*
 * In the handler: arrange that its return starts the program's own, with the
 * stack, the mask and the registers the kernel would have given it. The caller
 * has no more than 256 bytes of stack to use before it returns itself.
 */
SIGNAL_SAFE void prof_signal_deliver(
    int signal, void *info, void *ucontext,
    const struct prof_kernel_sigaction *action);

/* Where a handler returns to: rt_sigreturn(2). */
__attribute__((visibility("hidden"))) void prof_restore_rt(void);

#endif
