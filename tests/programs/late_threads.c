/* Makes its threads one after the other, long after the start. */
#include <pthread.h>
#include <stdio.h>

#include "tests/programs/burn.h"

enum { THREADS = 5 };

static void *late_worker(void *unused)
{
    burn_ns(200 * NS_PER_MS);
    return unused;
}

int main(void)
{
    burn_ns(100 * NS_PER_MS);
    for (int i = 0; i < THREADS; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, late_worker, NULL) != 0)
            return 1;
        pthread_join(thread, NULL);
    }
    printf("%d threads\n", THREADS);
    return 0;
}
