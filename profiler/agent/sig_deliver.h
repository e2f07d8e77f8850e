/* Starting a handler of the program's as the kernel would have. */
#ifndef PROFILER_AGENT_SIG_DELIVER_H
#define PROFILER_AGENT_SIG_DELIVER_H

#include <stdbool.h>

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

/*
 * Whether that handler goes to the alternate stack of ours that we are on. It
 * asks for one, the program has set none that we know of, and the thread was
 * not on a stack of its own, but on a goroutine's or a fiber's: who runs those
 * has found ours by a system call, or has need of it.
 */
SIGNAL_SAFE bool prof_signal_stays_on_ours(
    const void *ucontext, const struct prof_kernel_sigaction *action);

#endif
