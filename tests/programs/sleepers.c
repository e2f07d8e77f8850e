/*
 * Threads whose wall time is known: sleepers SECONDS [GO]. With GO it begins
 * when its standard input says so.
 *
 * One sleeps, one waits for a lock, one for an event, one computes, one does
 * both by turns, one ends early, and the first waits for them. Prints what each
 * took, in ns, as JSON: wall time, CPU time, time waiting for a CPU.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "tests/programs/burn.h"

static uint64_t end_ns;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int wake_pipe[2];

struct worker {
    const char *name;
    void (*run)(void);
    pthread_t thread;
    uint64_t wall_ns, cpu_ns, wait_ns;
};

static void sleep_until(uint64_t until_ns)
{
    struct timespec until = {
        .tv_sec = (time_t)(until_ns / 1000000000u),
        .tv_nsec = (long)(until_ns % 1000000000u)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) != 0)
        continue;
}

__attribute__((noipa)) static void nap(void)
{
    sleep_until(end_ns);
}

__attribute__((noipa)) static void wait_for_lock(void)
{
    pthread_mutex_lock(&lock);
    pthread_mutex_unlock(&lock);
}

__attribute__((noipa)) static void wait_for_event(void)
{
    struct epoll_event event = {.events = EPOLLIN};
    int epoll = epoll_create1(0);
    epoll_ctl(epoll, EPOLL_CTL_ADD, wake_pipe[0], &event);
    while (epoll_wait(epoll, &event, 1, -1) != 1)
        continue;
    close(epoll);
}

__attribute__((noipa)) static void compute(void)
{
    while (clock_ns(CLOCK_MONOTONIC) < end_ns)
        burn_ns(NS_PER_MS);
}

__attribute__((noipa)) static void turn_busy(void)
{
    burn_ns(7 * NS_PER_MS);
}

__attribute__((noipa)) static void turn_idle(void)
{
    struct timespec turn = {.tv_nsec = 9 * NS_PER_MS};
    nanosleep(&turn, NULL);
}

__attribute__((noipa)) static void by_turns(void)
{
    while (clock_ns(CLOCK_MONOTONIC) < end_ns) {
        turn_busy();
        turn_idle();
    }
}

/* A third of the time; then the thread is gone. */
__attribute__((noipa)) static void end_early(void)
{
    uint64_t now = clock_ns(CLOCK_MONOTONIC);
    sleep_until(now + (end_ns - now) / 3);
}

static void *run_worker(void *argument)
{
    struct worker *worker = argument;
    uint64_t begin_ns = clock_ns(CLOCK_MONOTONIC);
    worker->run();
    worker->wait_ns = thread_wait_ns();
    worker->cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    worker->wall_ns = clock_ns(CLOCK_MONOTONIC) - begin_ns;
    return NULL;
}

__attribute__((noipa)) static void join(struct worker *workers, int count)
{
    for (int i = 0; i < count; i++)
        pthread_join(workers[i].thread, NULL);
}

__attribute__((noipa)) static void wait_to_begin(void)
{
    char byte;
    while (read(STDIN_FILENO, &byte, 1) < 0)
        continue;
}

int main(int argc, char **argv)
{
    static struct worker workers[] = {
        {.name = "nap", .run = nap},
        {.name = "wait_for_lock", .run = wait_for_lock},
        {.name = "wait_for_event", .run = wait_for_event},
        {.name = "end_early", .run = end_early},
        {.name = "compute", .run = compute},
        {.name = "by_turns", .run = by_turns}};
    if (argc > 2)
        wait_to_begin();
    uint64_t begin_ns = clock_ns(CLOCK_MONOTONIC);
    double seconds = argc > 1 ? atof(argv[1]) : 1;
    int count = sizeof workers / sizeof workers[0];
    end_ns = begin_ns + (uint64_t)(seconds * 1e9);
    if (pipe(wake_pipe) != 0)
        return 1;

    pthread_mutex_lock(&lock);
    for (int i = 0; i < count; i++) {
        if (pthread_create(&workers[i].thread, NULL, run_worker, &workers[i]) !=
            0)
            return 1;
    }
    nap();
    pthread_mutex_unlock(&lock);
    if (write(wake_pipe[1], "x", 1) != 1)
        return 1;
    join(workers, count);

    printf("{\"threads\": [");
    for (int i = 0; i < count; i++)
        printf(
            "%s{\"name\": \"%s\", \"wall_ns\": %" PRIu64
            ", \"cpu_ns\": %" PRIu64 ", \"wait_ns\": %" PRIu64 "}",
            i > 0 ? ", " : "", workers[i].name, workers[i].wall_ns,
            workers[i].cpu_ns, workers[i].wait_ns);
    printf(
        "], \"main\": {\"wall_ns\": %" PRIu64 ", \"cpu_ns\": %" PRIu64 "}}\n",
        clock_ns(CLOCK_MONOTONIC) - begin_ns,
        clock_ns(CLOCK_THREAD_CPUTIME_ID));
    return 0;
}
