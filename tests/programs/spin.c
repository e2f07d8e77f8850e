/* Burns CPU: spin SECONDS [THREADS]; prints the nanoseconds it used. */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/programs/burn.h"

enum { MOST_THREADS = 256 };

static uint64_t share_ns;

/* Hardly ever in the kernel: the clock is looked at twice a millisecond. */
enum { STIRS_AT_ONCE = 32 };

static void *spin(void *unused)
{
    uint64_t seed = share_ns, end_ns = thread_cpu_ns() + share_ns;
    do {
        for (int i = 0; i < STIRS_AT_ONCE; i++)
            seed = stir(seed);
    } while (thread_cpu_ns() < end_ns);
    return unused;
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? atof(argv[1]) : 1;
    int threads = argc > 2 ? atoi(argv[2]) : 1;
    if (threads < 1 || threads > MOST_THREADS)
        return 2;
    share_ns = (uint64_t)(seconds * (double)NS_PER_SECOND) / (uint64_t)threads;

    pthread_t others[MOST_THREADS];
    for (int i = 1; i < threads; i++) {
        if (pthread_create(&others[i], NULL, spin, NULL) != 0)
            return 1;
    }
    spin(NULL);
    for (int i = 1; i < threads; i++)
        pthread_join(others[i], NULL);
    printf("%" PRIu64 "\n", clock_ns(CLOCK_PROCESS_CPUTIME_ID));
    return 0;
}
