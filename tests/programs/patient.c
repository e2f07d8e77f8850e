/*
 * Sleeps in every way there is, between bursts of work, and counts the calls
 * that came back early; reads /dev/zero and counts short reads.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <unistd.h>

#include "tests/programs/burn.h"

enum { ROUNDS = 40, SLEEP_MS = 6, READS = 400, CHUNK_BYTES = 4 << 20 };

static int early;

static void count_early(uint64_t start_ns, int is_interrupted)
{
    uint64_t slept_ns = clock_ns(CLOCK_MONOTONIC) - start_ns;
    if (is_interrupted || slept_ns < (SLEEP_MS - 1) * NS_PER_MS)
        early++;
}

static struct timespec soon(clockid_t clock)
{
    uint64_t at_ns = clock_ns(clock) + SLEEP_MS * NS_PER_MS;
    return (struct timespec){
        .tv_sec = (time_t)(at_ns / NS_PER_SECOND),
        .tv_nsec = (long)(at_ns % NS_PER_SECOND)};
}

static void sleep_in_every_way(int epoll, sem_t *semaphore)
{
    struct timespec relative = {0, SLEEP_MS * (long)NS_PER_MS};
    uint64_t start_ns = clock_ns(CLOCK_MONOTONIC);
    count_early(start_ns, nanosleep(&relative, NULL) != 0);

    start_ns = clock_ns(CLOCK_MONOTONIC);
    count_early(start_ns, poll(NULL, 0, SLEEP_MS) != 0);

    start_ns = clock_ns(CLOCK_MONOTONIC);
    struct epoll_event event;
    count_early(start_ns, epoll_wait(epoll, &event, 1, SLEEP_MS) != 0);

    start_ns = clock_ns(CLOCK_MONOTONIC);
    struct timeval timeout = {0, SLEEP_MS * 1000};
    count_early(start_ns, select(0, NULL, NULL, NULL, &timeout) != 0);

    /* The clock that may be set: what ends the wait is that it says so. */
    struct timespec deadline = soon(CLOCK_REALTIME);
    early += sem_timedwait(semaphore, &deadline) == 0 || errno != ETIMEDOUT;
}

/* A read of /dev/zero stops at a pending signal: it gives what it has. */
static int count_short_reads(void)
{
    static char chunk[CHUNK_BYTES];
    int zero = open("/dev/zero", O_RDONLY);
    int shorts = 0;
    for (int i = 0; i < READS; i++)
        shorts += read(zero, chunk, sizeof chunk) != (ssize_t)sizeof chunk;
    close(zero);
    return shorts;
}

static void *keep_busy(void *unused)
{
    burn_ns(800 * NS_PER_MS);
    return unused;
}

int main(void)
{
    sem_t semaphore;
    int epoll = epoll_create1(0);
    pthread_t busy;
    if (epoll < 0 || sem_init(&semaphore, 0, 0) != 0 ||
        pthread_create(&busy, NULL, keep_busy, NULL) != 0)
        return 1;
    for (int round = 0; round < ROUNDS; round++) {
        sleep_in_every_way(epoll, &semaphore);
        /* Work in odd amounts, so that a timer expires close to a sleep. */
        burn_ns((uint64_t)(round % 7) * NS_PER_MS / 2);
    }
    int short_reads = count_short_reads();
    pthread_join(busy, NULL);
    printf("%d early, %d short reads\n", early, short_reads);
    return 0;
}
