/* Makes thousands of threads that end before a sampling period is over. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/programs/burn.h"

static void *brief_worker(void *unused)
{
    burn_ns(NS_PER_MS / 10);
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
    printf("%d threads\n", count);
    return 0;
}
