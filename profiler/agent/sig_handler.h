/* The handler of our signals. */
#ifndef PROFILER_AGENT_SIG_HANDLER_H
#define PROFILER_AGENT_SIG_HANDLER_H

#include <stdint.h>

#include "profiler/base/status.h"

/* The handler of our signals. */
__attribute__((visibility("hidden"))) SIGNAL_SAFE void prof_handle_signal(
    int signal, void *info, void *ucontext);

#endif
