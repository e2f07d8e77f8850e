/* The handler of our signals, and the clock it reads. */
#ifndef PROFILER_AGENT_SIG_HANDLER_H
#define PROFILER_AGENT_SIG_HANDLER_H

#include <stdint.h>

#include "profiler/base/status.h"

/* The handler of our signals. */
__attribute__((visibility("hidden"))) SIGNAL_SAFE void prof_handle_signal(
    int signal, void *info, void *ucontext);

/* CLOCK_MONOTONIC, from the vDSO; ns. */
SIGNAL_SAFE uint64_t prof_core_now_ns(void);

/* Timer expiries behind a signal; 0 when it is not ours. */
SIGNAL_SAFE uint32_t prof_signal_expiries(int signal, const void *info);

/* The calling thread's id; a system call where tid_offset is 0. */
SIGNAL_SAFE uint32_t prof_core_tid(void);

#endif
