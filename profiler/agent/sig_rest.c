/*
 * How a CPU-clock timer rests; see the header.
 *
 * A collector that is not seen may be dead, or stopped for a while. While it is
 * away each thread looks for it after 2 s of its CPU time, then after twice as
 * long each time, and gives up after 128 s: whoever was killed leaves no timer
 * that ticks for ever. How long a timer rests is its interval, which is longer
 * than any that is asked for.
 */
#include "profiler/agent/sig_rest.h"

#include "profiler/agent/core.h"
#include "profiler/agent/sys.h"

#include <stdatomic.h>
#include <time.h>

enum { FIRST_REST_S = 2, LAST_REST_S = 128 };

/* While none rests, no tick makes a system call. */
static _Atomic uint32_t resting_count;

static void set(int timer, const struct itimerspec *times)
{
    (void)sys_call4(__NR_timer_settime, (long)timer, 0L, times, (void *)NULL);
}

/* Seconds that the timer rests; 0: it does not. */
static long rest_seconds(int timer)
{
    struct itimerspec times = {0};
    (void)sys_call2(__NR_timer_gettime, (long)timer, &times);
    long seconds = times.it_interval.tv_sec;
    return seconds >= FIRST_REST_S ? seconds : 0;
}

void prof_timer_rest(int timer)
{
    struct itimerspec times = {0};
    if (prof_core_is_silent())
        return;
    const struct wire_header *header = prof_core.ring.header;
    bool is_over =
        !atomic_load_explicit(&prof_core.is_active, memory_order_relaxed) ||
        atomic_load_explicit(&header->is_stopped, memory_order_relaxed);
    long before = is_over ? LAST_REST_S : rest_seconds(timer);
    if (before < LAST_REST_S) {
        times.it_interval.tv_sec = before == 0 ? FIRST_REST_S : 2 * before;
        times.it_value = times.it_interval;
    }
    if (before == 0)
        atomic_fetch_add_explicit(&resting_count, 1, memory_order_relaxed);
    set(timer, &times);
}

void prof_timer_rest_begin(void)
{
    atomic_store_explicit(&resting_count, 0, memory_order_relaxed);
}

void prof_timer_wake(int timer)
{
    if (atomic_load_explicit(&resting_count, memory_order_relaxed) == 0 ||
        prof_core_is_silent() || rest_seconds(timer) == 0)
        return;
    uint64_t period_ns = prof_core.period_ns;
    struct itimerspec times = {
        .it_interval = {
            .tv_sec = (time_t)(period_ns / 1000000000u),
            .tv_nsec = (long)(period_ns % 1000000000u)}};
    times.it_value = times.it_interval;
    set(timer, &times);
    atomic_fetch_sub_explicit(&resting_count, 1, memory_order_relaxed);
}
