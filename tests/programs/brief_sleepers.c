/*
 * Makes threads that sleep for 10 ms and end, eight at a time: brief_sleepers
 * COUNT. Prints how long the first thread has lived and they have, at least and
 * at most, as JSON: they may wait for a CPU before and behind their function.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/programs/burn.h"

enum { AT_ONCE = 8 };

static _Atomic uint64_t lived_ns;

static void *sleep_briefly(void *unused)
{
    uint64_t begin_ns = clock_ns(CLOCK_MONOTONIC);
    usleep(10000);
    lived_ns += clock_ns(CLOCK_MONOTONIC) - begin_ns;
    return unused;
}

int main(int argc, char **argv)
{
    uint64_t begin_ns = clock_ns(CLOCK_MONOTONIC);
    uint64_t most_ns = 0;
    int count = argc > 1 ? atoi(argv[1]) : 1000;
    for (int made = 0; made < count; made += AT_ONCE) {
        pthread_t threads[AT_ONCE];
        for (int i = 0; i < AT_ONCE; i++) {
            most_ns -= clock_ns(CLOCK_MONOTONIC);
            if (pthread_create(&threads[i], NULL, sleep_briefly, NULL) != 0)
                return 1;
        }
        for (int i = 0; i < AT_ONCE; i++) {
            pthread_join(threads[i], NULL);
            most_ns += clock_ns(CLOCK_MONOTONIC);
        }
    }
    printf(
        "{\"threads_ns\": %" PRIu64 ", \"most_ns\": %" PRIu64
        ", \"main_ns\": %" PRIu64 "}\n",
        lived_ns, most_ns, clock_ns(CLOCK_MONOTONIC) - begin_ns);
    return 0;
}
