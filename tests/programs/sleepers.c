/*
 * Threads whose wall time is known: sleepers SECONDS [GO]. With GO it begins
 * when its standard input says so.
 *
 * One sleeps, one waits for a lock, one for an event, one computes, one does
 * both by turns, one ends early, and the first waits for them. Prints what each
 * took, in ns, as JSON.
 *
 * On a busy machine a thread waits for a CPU before it comes to its function
 * and behind it, where nobody can read clocks. So what it was there for has two
 * bounds: `lived_ns`, from before it was made until it was joined, and within
 * that `wall_ns`, in the function. Of the time it waited for a CPU `wait_ns` is
 * all, `within_ns` what fell between the clocks that tell `wall_ns`, and
 * `seen_ns` of that what the thread ran behind long enough to be seen.
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
static _Thread_local uint64_t waited_ns; /* before the turn that is the last */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int wake_pipe[2];

struct worker {
    const char *name;
    void (*run)(void);
    pthread_t thread;
    uint64_t made_ns, lived_ns, wall_ns, cpu_ns, wait_ns, within_ns, seen_ns;
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
    while (clock_ns(CLOCK_MONOTONIC) < end_ns) {
        waited_ns = thread_wait_ns();
        burn_ns(7 * NS_PER_MS);
    }
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
        waited_ns = thread_wait_ns();
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
    uint64_t before_ns = thread_wait_ns();
    waited_ns = before_ns;
    uint64_t begin_ns = clock_ns(CLOCK_MONOTONIC);
    worker->run();
    worker->wall_ns = clock_ns(CLOCK_MONOTONIC) - begin_ns;
    worker->cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    worker->wait_ns = thread_wait_ns();
    worker->within_ns = worker->wait_ns - before_ns;
    worker->seen_ns = waited_ns - before_ns;
    return NULL;
}

__attribute__((noipa)) static void join(struct worker *workers, int count)
{
    for (int i = 0; i < count; i++) {
        pthread_join(workers[i].thread, NULL);
        workers[i].lived_ns = clock_ns(CLOCK_MONOTONIC) - workers[i].made_ns;
    }
}

__attribute__((noipa)) static void wait_to_begin(void)
{
    char byte;
    while (read(STDIN_FILENO, &byte, 1) < 0)
        continue;
}

static void print_worker(const struct worker *worker, const char *before)
{
    printf(
        "%s{\"name\": \"%s\", \"lived_ns\": %" PRIu64 ", \"wall_ns\": %" PRIu64
        ", \"cpu_ns\": %" PRIu64 ", \"wait_ns\": %" PRIu64
        ", \"within_ns\": %" PRIu64 ", \"seen_ns\": %" PRIu64 "}",
        before, worker->name, worker->lived_ns, worker->wall_ns, worker->cpu_ns,
        worker->wait_ns, worker->within_ns, worker->seen_ns);
}

int main(int argc, char **argv)
{
    static struct worker workers[] = {
        {.name = "end_early", .run = end_early},
        {.name = "nap", .run = nap},
        {.name = "wait_for_lock", .run = wait_for_lock},
        {.name = "wait_for_event", .run = wait_for_event},
        {.name = "compute", .run = compute},
        {.name = "by_turns", .run = by_turns}};
    if (argc > 2)
        wait_to_begin();
    uint64_t before_ns = thread_wait_ns();
    uint64_t begin_ns = clock_ns(CLOCK_MONOTONIC);
    double seconds = argc > 1 ? atof(argv[1]) : 1;
    int count = sizeof workers / sizeof workers[0];
    end_ns = begin_ns + (uint64_t)(seconds * 1e9);
    if (pipe(wake_pipe) != 0)
        return 1;

    pthread_mutex_lock(&lock);
    for (int i = 0; i < count; i++) {
        workers[i].made_ns = clock_ns(CLOCK_MONOTONIC);
        if (pthread_create(&workers[i].thread, NULL, run_worker, &workers[i]) !=
            0)
            return 1;
    }
    join(workers, 1); /* who ends early, as soon as he has */
    nap();
    pthread_mutex_unlock(&lock);
    if (write(wake_pipe[1], "x", 1) != 1)
        return 1;
    join(workers + 1, count - 1);

    printf("{\"threads\": [");
    for (int i = 0; i < count; i++)
        print_worker(&workers[i], i > 0 ? ", " : "");
    printf(
        "], \"main\": {\"wall_ns\": %" PRIu64 ", \"cpu_ns\": %" PRIu64
        ", \"before_ns\": %" PRIu64 ", \"wait_ns\": %" PRIu64 "}}\n",
        clock_ns(CLOCK_MONOTONIC) - begin_ns, clock_ns(CLOCK_THREAD_CPUTIME_ID),
        before_ns, thread_wait_ns());
    return 0;
}
