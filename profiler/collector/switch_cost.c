/*
 * What a switch costs with a perf event. Blocks of rounds with events and
 * without take turns, and the median of their differences is taken. The events
 * are opened for each block, since one that is only disabled is looked at in
 * each switch as well; and apart, since the kernel stops nothing where one
 * thread has inherited its events from the other (perf_clock.h).
 */
#include "profiler/collector/switch_cost.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "profiler/base/clock.h"

enum {
    BLOCKS = 7,
    ROUNDS = 60,
    WALL_MAX_NS = 200000000, /* somebody else has the processors */
};

struct players {
    int there[2], back[2];
    _Atomic int tid; /* of the second; 0: not there yet */
};

static void do_nothing(int signal)
{
    (void)signal;
}

static void *answer(void *context)
{
    struct players *players = context;
    char ball;
    players->tid = gettid();
    while (read(players->there[0], &ball, 1) == 1 &&
           write(players->back[1], &ball, 1) == 1)
        ;
    return NULL;
}

/* CPU time of the calling thread in a block, each time that it runs; ns. */
static double play(const struct players *players)
{
    char ball = 0;
    uint64_t start_ns = clock_now_ns(CLOCK_THREAD_CPUTIME_ID);
    for (int i = 0; i < ROUNDS; i++) {
        if (write(players->there[1], &ball, 1) != 1 ||
            read(players->back[0], &ball, 1) != 1)
            return 0;
    }
    return (double)(clock_now_ns(CLOCK_THREAD_CPUTIME_ID) - start_ns) / ROUNDS;
}

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static uint64_t play_blocks(
    const struct players *players, enum prof_clock_mode mode,
    uint64_t period_ns)
{
    double costs[BLOCKS];
    int count = 0;
    uint64_t end_ns = clock_now_ns(CLOCK_MONOTONIC) + WALL_MAX_NS;
    (void)play(players); /* until the second is there */
    while (count < BLOCKS && clock_now_ns(CLOCK_MONOTONIC) < end_ns) {
        double without_ns = play(players);
        int own = prof_perf_clock_open_probe(0, period_ns, mode);
        int other = prof_perf_clock_open_probe(players->tid, period_ns, mode);
        if (own >= 0 && other >= 0)
            costs[count++] = play(players) - without_ns;
        (void)close(own);
        (void)close(other);
        if (own < 0 || other < 0)
            break;
    }
    if (count == 0)
        return 0;
    qsort(costs, (size_t)count, sizeof *costs, compare);
    return costs[count / 2] > 0 ? (uint64_t)costs[count / 2] : 0;
}

static void close_both(const int *ends)
{
    (void)close(ends[0]);
    (void)close(ends[1]);
}

uint64_t prof_switch_cost_measure_ns(
    enum prof_clock_mode mode, uint64_t period_ns)
{
    struct players players = {.there = {-1, -1}, .back = {-1, -1}};
    struct sigaction action = {
        .sa_handler = do_nothing, .sa_flags = SA_RESTART};
    struct sigaction before;
    pthread_t second;
    uint64_t cost_ns = 0;
    if (sigaction(SIGTRAP, &action, &before) != 0)
        return 0;
    if (pipe2(players.there, O_CLOEXEC) == 0 &&
        pipe2(players.back, O_CLOEXEC) == 0 &&
        pthread_create(&second, NULL, answer, &players) == 0) {
        cost_ns = play_blocks(&players, mode, period_ns);
        (void)close(players.there[1]);
        players.there[1] = -1;
        (void)pthread_join(second, NULL);
    }
    close_both(players.there);
    close_both(players.back);
    (void)sigaction(SIGTRAP, &before, NULL);
    return cost_ns;
}
