/* The handler of our signals. */
#ifndef PROFILER_AGENT_SIG_HANDLER_H
#define PROFILER_AGENT_SIG_HANDLER_H

#include <stdint.h>

#include "profiler/base/status.h"

/* The handler of our signals. */
__attribute__((visibility("hidden"))) SIGNAL_SAFE void prof_handle_signal(
    int signal, void *info, void *ucontext);

/*
 * Timer expiries behind a signal that goes no further; 0 when it is not ours.
 * In the thread that it came to: what brings a timer does so.
 */
SIGNAL_SAFE uint32_t prof_signal_take(int signal, const void *info);

#endif
