/*
 * Measures how long somebody else keeps it from running: bench_pauses THREADS.
 *
 * One thread reads the clock over and over; a gap in which it neither computed
 * nor waited for a CPU was a stop. THREADS more sleep. At the end of its
 * standard input it prints the number of stops, the longest and the sum, in ns.
 */
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/programs/burn.h"

/* An interrupt, or what the clock itself takes, is no stop. */
enum { GAP_NS = 30000 };

static void *sleep_on(void *unused)
{
    for (;;)
        (void)pause();
    return unused;
}

static int is_over(void)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    return poll(&input, 1, 0) != 0;
}

int main(int argc, char **argv)
{
    uint64_t stops = 0, longest_ns = 0, sum_ns = 0;
    for (int i = argc > 1 ? atoi(argv[1]) : 0; i > 0; i--) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, sleep_on, NULL) != 0)
            return 1;
    }
    puts("ready");
    fflush(stdout);
    uint64_t last_ns = clock_ns(CLOCK_MONOTONIC);
    uint64_t waited_ns = thread_wait_ns(), rounds = 0;
    for (;;) {
        uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
        uint64_t gap_ns = now_ns - last_ns;
        last_ns = now_ns;
        if (gap_ns > GAP_NS) {
            uint64_t more_ns = thread_wait_ns();
            uint64_t excused_ns = more_ns - waited_ns;
            waited_ns = more_ns;
            if (gap_ns > excused_ns + GAP_NS) {
                stops++;
                sum_ns += gap_ns - excused_ns;
                if (gap_ns - excused_ns > longest_ns)
                    longest_ns = gap_ns - excused_ns;
            }
            last_ns = clock_ns(CLOCK_MONOTONIC);
        }
        if (++rounds % 4096 == 0 && is_over())
            break;
    }
    printf("%" PRIu64 " %" PRIu64 " %" PRIu64 "\n", stops, longest_ns, sum_ns);
    return 0;
}
