/* The processor's own clock, for what must not make a system call. */
#ifndef PROFILER_BASE_CYCLES_X86_64_H
#define PROFILER_BASE_CYCLES_X86_64_H

#include <stdint.h>

/* The time stamp counter: constant rate on all processors of ten years. */
static inline uint64_t cycles_now(void)
{
    return __builtin_ia32_rdtsc();
}

/* A number that nobody can foresee well, and that nobody's secret needs. */
static inline uint64_t cycles_random(void)
{
    uint64_t value = cycles_now();
    value ^= value >> 33;
    value *= UINT64_C(0xff51afd7ed558ccd);
    return value ^ value >> 29;
}

#endif
