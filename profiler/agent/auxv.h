/* What the kernel told the program at its start: getauxval(3). */
#ifndef PROFILER_AGENT_AUXV_H
#define PROFILER_AGENT_AUXV_H

#include <stdint.h>

/* The value of AT_...; 0 when there is none, or it may not be read. */
uint64_t prof_auxv(uint64_t type);

#endif
