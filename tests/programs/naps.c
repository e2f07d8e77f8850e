/*
 * Computes and sleeps in turns of some microseconds, as a server does between
 * its requests: naps CPU_SECONDS. Prints which part of its CPU time computing
 * took, as the thread's own clock has it.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>

enum { NAP_NS = 20000, STEPS = 20000 };

static uint64_t used_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

__attribute__((noinline)) static uint64_t part_computing(uint64_t value)
{
    for (int i = 0; i < STEPS; i++)
        value = value * 3 + (value >> 7);
    return value;
}

__attribute__((noinline)) static int part_napping(void)
{
    const struct timespec nap = {.tv_nsec = NAP_NS};
    return clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL) + 1; /* no tail */
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    uint64_t end_ns = used_ns() + (uint64_t)(atof(argv[1]) * 1e9);
    volatile uint64_t value = 1;
    (void)prctl(PR_SET_TIMERSLACK, 1UL);
    uint64_t begin_ns = used_ns(), now_ns = begin_ns, computing_ns = 0;
    while (now_ns < end_ns) {
        value = part_computing(value);
        computing_ns += used_ns() - now_ns;
        (void)part_napping();
        now_ns = used_ns();
    }
    printf("%f\n", (double)computing_ns / (double)(now_ns - begin_ns));
    return 0;
}
