/* The registers of the processor this is built for. */
#ifndef PROFILER_UNWIND_SIG_REGS_H
#define PROFILER_UNWIND_SIG_REGS_H

#if defined(__x86_64__)
#include "profiler/unwind/sig_regs_x86_64.h"
#else
#error "the unwinder has no registers for this processor yet"
#endif

#endif
