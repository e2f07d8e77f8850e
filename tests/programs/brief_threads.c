/*
 * Makes thousands of threads that end before a sampling period is over:
 * brief_threads COUNT. Prints what they used in brief_worker(), by their own
 * CPU clocks, as JSON.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/programs/burn.h"

static uint64_t worker_ns; /* one worker at a time */

__attribute__((noipa)) static void *brief_worker(void *unused)
{
    uint64_t start_ns = thread_cpu_ns();
    (void)burn_until(start_ns + NS_PER_MS / 10);
    worker_ns += thread_cpu_ns() - start_ns;
    return unused;
}

int main(int argc, char **argv)
{
    int count = argc > 1 ? atoi(argv[1]) : 3000;
    for (int i = 0; i < count; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, brief_worker, NULL) != 0)
            return 1;
        pthread_join(thread, NULL);
    }
    printf(
        "{\"total_ns\": %" PRIu64 ", \"parts\": {\"brief_worker\": %" PRIu64
        "}}\n",
        clock_ns(CLOCK_PROCESS_CPUTIME_ID), worker_ns);
    return 0;
}
