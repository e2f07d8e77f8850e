/*
 * Using CPU time in amounts that are known. The clock is the thread's own, so
 * a busy machine changes how long a program takes and not what it measures.
 */
#ifndef TESTS_PROGRAMS_BURN_H
#define TESTS_PROGRAMS_BURN_H

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#define NS_PER_SECOND 1000000000ull
#define NS_PER_MS     1000000ull

static inline uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

static inline uint64_t thread_cpu_ns(void)
{
    return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

/* How long the calling thread has waited for a CPU. */
static inline uint64_t thread_wait_ns(void)
{
    uint64_t used = 0, waited = 0;
    FILE *file = fopen("/proc/thread-self/schedstat", "r");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%" SCNu64 " %" SCNu64, &used, &waited) != 2)
        waited = 0;
    fclose(file);
    return waited;
}

/* Some ten microseconds of arithmetic that no compiler can leave out. */
static inline uint64_t stir(uint64_t seed)
{
    for (int step = 0; step < 8192; step++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        __asm__ volatile("" : "+r"(seed));
    }
    return seed;
}

/* Burn until the calling thread has used `deadline_ns` in all. */
static inline uint64_t burn_until(uint64_t deadline_ns)
{
    uint64_t seed = deadline_ns;
    do
        seed = stir(seed);
    while (thread_cpu_ns() < deadline_ns);
    return seed;
}

static inline uint64_t burn_ns(uint64_t amount_ns)
{
    return burn_until(thread_cpu_ns() + amount_ns);
}

#endif
