/*
 * Has a period of its own: periodic SECONDS [in-thread]. Every millisecond of
 * its CPU time it computes for half of it in one function, then for half of it
 * in another. A sampler of 1000 Hz that keeps step sees only one of them.
 * Prints what both used, by the thread's own CPU clock, as JSON.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/programs/burn.h"

#define WHOLE __attribute__((noipa))

static uint64_t budget_ns, first_ns, second_ns;

WHOLE static void part_first(uint64_t deadline_ns)
{
    (void)burn_until(deadline_ns);
}

WHOLE static void part_second(uint64_t deadline_ns)
{
    (void)burn_until(deadline_ns);
}

static void *alternate(void *unused)
{
    uint64_t start_ns = thread_cpu_ns(), now_ns = start_ns;
    for (uint64_t due_ns = start_ns; due_ns < start_ns + budget_ns;) {
        part_first(due_ns += NS_PER_MS / 2);
        uint64_t then_ns = thread_cpu_ns();
        first_ns += then_ns - now_ns;
        part_second(due_ns += NS_PER_MS / 2);
        now_ns = thread_cpu_ns();
        second_ns += now_ns - then_ns;
    }
    return unused;
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? atof(argv[1]) : 2;
    budget_ns = (uint64_t)(seconds * (double)NS_PER_SECOND);
    pthread_t thread;
    if (argc <= 2)
        alternate(NULL);
    else if (
        pthread_create(&thread, NULL, alternate, NULL) != 0 ||
        pthread_join(thread, NULL) != 0)
        return 1;
    printf(
        "{\"total_ns\": %" PRIu64 ", \"parts\": {\"part_first\": %" PRIu64
        ", \"part_second\": %" PRIu64 "}}\n",
        clock_ns(CLOCK_PROCESS_CPUTIME_ID), first_ns, second_ns);
    return 0;
}
