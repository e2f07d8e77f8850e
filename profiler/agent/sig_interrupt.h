/* System calls that a handler of the program's is to interrupt. */
#ifndef PROFILER_AGENT_SIG_INTERRUPT_H
#define PROFILER_AGENT_SIG_INTERRUPT_H

#include "profiler/base/status.h"

/*
 * In the handler: let the system call that is about to be restarted return
 * EINTR instead, if it is one that may; the same where a signal waits whose
 * handler asked for it.
 */
SIGNAL_SAFE void prof_call_interrupt(void *ucontext);
SIGNAL_SAFE void prof_call_interrupt_for_waiting(void *ucontext);

#endif
