/*
 * What one sample costs besides the handler. The medians of some dozens are
 * taken: a thread that is preempted meanwhile would spoil a mean.
 */
#include "profiler/collector/signal_cost.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "profiler/base/clock.h"

enum {
    ROUNDS = 64,
    PROBE_PERIOD_NS = 60000,
    PROBE_MAX_NS = 8000000, /* of CPU time */

    /* A reading of the clock takes less, an interrupt more. */
    GAP_MIN_NS = 1500,
};

static void do_nothing(int signal)
{
    (void)signal;
}

static int compare(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static uint64_t median(uint64_t *values, size_t count)
{
    if (count == 0)
        return 0;
    qsort(values, count, sizeof *values, compare);
    return values[count / 2];
}

static uint64_t measure_signal_ns(void)
{
    uint64_t spans_ns[ROUNDS];
    long pid = getpid(), tid = gettid();
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t start_ns = clock_now_ns(CLOCK_MONOTONIC);
        (void)syscall(SYS_tgkill, pid, tid, SIGTRAP);
        spans_ns[i] = clock_now_ns(CLOCK_MONOTONIC) - start_ns;
    }
    return median(spans_ns, ROUNDS);
}

/* Read the clock without end; where the event interrupts, there is a gap. */
static uint64_t measure_gap_ns(void)
{
    uint64_t gaps_ns[ROUNDS];
    size_t count = 0;
    uint64_t end_ns = clock_now_ns(CLOCK_THREAD_CPUTIME_ID) + PROBE_MAX_NS;
    uint64_t before_ns = clock_now_ns(CLOCK_MONOTONIC);
    for (unsigned i = 0; count < ROUNDS; i++) {
        uint64_t now_ns = clock_now_ns(CLOCK_MONOTONIC);
        if (now_ns - before_ns >= GAP_MIN_NS)
            gaps_ns[count++] = now_ns - before_ns;
        before_ns = now_ns;
        if (i % 4096 == 0) {
            if (clock_now_ns(CLOCK_THREAD_CPUTIME_ID) > end_ns)
                break;
            before_ns = clock_now_ns(CLOCK_MONOTONIC);
        }
    }
    return median(gaps_ns, count);
}

struct prof_signal_cost prof_signal_cost_measure(enum prof_clock_mode mode)
{
    struct prof_signal_cost cost = {0};
    struct sigaction action = {.sa_handler = do_nothing}, before;
    if (sigaction(SIGTRAP, &action, &before) != 0)
        return cost;
    cost.signal_ns = measure_signal_ns();
    int fd = prof_perf_clock_open_probe(0, PROBE_PERIOD_NS, mode);
    if (fd >= 0) {
        uint64_t gap_ns = measure_gap_ns();
        (void)close(fd);
        if (gap_ns > cost.signal_ns)
            cost.interrupt_ns = gap_ns - cost.signal_ns;
    }
    (void)sigaction(SIGTRAP, &before, NULL);
    return cost;
}
