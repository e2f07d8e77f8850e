/*
 * Computes only between the kernel's ticks: between_ticks SECONDS. A timer
 * that is looked at on the tick never finds it running. Prints the
 * nanoseconds of CPU time it used.
 *
 * The coarse clock moves on the tick, so it tells when ticks are due.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/programs/burn.h"

enum { SAFETY_NS = 300000 };

static uint64_t next_tick_ns(void)
{
    uint64_t before_ns = clock_ns(CLOCK_MONOTONIC_COARSE), tick_ns;
    while ((tick_ns = clock_ns(CLOCK_MONOTONIC_COARSE)) == before_ns)
        continue;
    return tick_ns;
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? atof(argv[1]) : 1;
    uint64_t budget_ns = (uint64_t)(seconds * (double)NS_PER_SECOND);
    struct timespec resolution;
    clock_getres(CLOCK_MONOTONIC_COARSE, &resolution);
    uint64_t tick_ns = (uint64_t)resolution.tv_nsec;

    uint64_t lattice_ns = next_tick_ns();
    while (thread_cpu_ns() < budget_ns) {
        uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
        lattice_ns += ((now_ns - lattice_ns) / tick_ns + 1) * tick_ns;
        uint64_t wake_ns = lattice_ns + SAFETY_NS;
        struct timespec wake = {
            .tv_sec = (time_t)(wake_ns / NS_PER_SECOND),
            .tv_nsec = (long)(wake_ns % NS_PER_SECOND)};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &wake, NULL);
        while (clock_ns(CLOCK_MONOTONIC) <
               lattice_ns + tick_ns - 4 * (uint64_t)SAFETY_NS)
            (void)stir(budget_ns);
    }
    printf("%" PRIu64 "\n", clock_ns(CLOCK_PROCESS_CPUTIME_ID));
    return 0;
}
