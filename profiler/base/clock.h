/* A clock as one number. */
#ifndef PROFILER_BASE_CLOCK_H
#define PROFILER_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

/* `clock` in ns; CLOCK_MONOTONIC is what samples are stamped with. */
static inline uint64_t clock_now_ns(clockid_t clock)
{
    struct timespec now = {0};
    (void)clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

#endif
