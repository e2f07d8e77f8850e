/*
 * How a CPU-clock timer rests; see the header.
 *
 * A collector that is not seen may be dead, or stopped for a while. While it is
 * away each thread looks for it after 2 s of its CPU time, then after twice as
 * long each time, and gives up after 128 s: whoever was killed leaves no timer
 * that ticks for ever. How long a timer rests is its interval, which is longer
 * than any that is asked for.
 *
 * Where samples are not wanted until a transaction starts, a timer that ticks
 * rests for 2 s of its thread's CPU time, again and again, and its id is noted
 * in a place, where whoever starts one finds it. A thread that sleeps does not
 * tick, so the places are for those that are busy; for more than there are,
 * their own next tick is the end of the rest.
 */
#include "profiler/agent/sig_rest.h"

#include "profiler/agent/sig_core.h"
#include "profiler/agent/sig_presence.h"
#include "profiler/agent/sys.h"

#include <stdatomic.h>
#include <time.h>

enum { FIRST_REST_S = 2, LAST_REST_S = 128, PLACES = 256 };

/* While none rests, no tick makes a system call: with a place, and without. */
static _Atomic uint32_t placed_count, unplaced_count;
static _Atomic int places[PLACES]; /* a timer's id and 1; 0: free */

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

static bool is_at_rest(void)
{
    return atomic_load(&prof_core.ring.header->rest) == WIRE_AT_REST;
}

static bool place(int timer)
{
    for (int i = 0; i < PLACES; i++) {
        int none = 0;
        if (atomic_load_explicit(&places[i], memory_order_relaxed) == 0 &&
            atomic_compare_exchange_strong(&places[i], &none, timer + 1)) {
            atomic_fetch_add(&placed_count, 1);
            return true;
        }
    }
    return false;
}

/* Whether it had a place, which it has no more. */
static bool take_from_place(int timer)
{
    for (int i = 0; i < PLACES; i++) {
        int placed = timer + 1;
        if (atomic_load_explicit(&places[i], memory_order_relaxed) == placed &&
            atomic_compare_exchange_strong(&places[i], &placed, 0)) {
            atomic_fetch_sub(&placed_count, 1);
            return true;
        }
    }
    return false;
}

/* One that another thread wakes just now may be counted twice. */
static void count_unplaced_down(void)
{
    uint32_t count =
        atomic_load_explicit(&unplaced_count, memory_order_relaxed);
    while (count > 0 &&
           !atomic_compare_exchange_weak(&unplaced_count, &count, count - 1))
        ;
}

/* As fast as asked again. */
static void go_on(int timer)
{
    uint64_t period_ns = prof_core.period_ns;
    struct itimerspec times = {
        .it_interval = {
            .tv_sec = (time_t)(period_ns / 1000000000u),
            .tv_nsec = (long)(period_ns % 1000000000u)}};
    times.it_value = times.it_interval;
    set(timer, &times);
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
    bool is_expected = !is_over && is_at_rest() && !prof_presence_is_given_up();
    if (is_expected && before == FIRST_REST_S)
        return;
    if (is_expected)
        times.it_interval.tv_sec = FIRST_REST_S;
    else if (before < LAST_REST_S)
        times.it_interval.tv_sec = before == 0 ? FIRST_REST_S : 2 * before;
    times.it_value = times.it_interval;
    set(timer, &times);
    if (before != 0)
        return;
    if (!is_expected || !place(timer))
        atomic_fetch_add_explicit(&unplaced_count, 1, memory_order_relaxed);
    /* Who has roused us before it had its place did not find it. */
    else if (!is_at_rest() && take_from_place(timer))
        go_on(timer);
}

void prof_timer_rest_begin(void)
{
    for (int i = 0; i < PLACES; i++)
        atomic_store_explicit(&places[i], 0, memory_order_relaxed);
    atomic_store_explicit(&placed_count, 0, memory_order_relaxed);
    atomic_store_explicit(&unplaced_count, 0, memory_order_relaxed);
}

void prof_timer_wake(int timer)
{
    uint32_t count =
        atomic_load_explicit(&unplaced_count, memory_order_relaxed) +
        atomic_load_explicit(&placed_count, memory_order_relaxed);
    if (count == 0 || prof_core_is_silent() || rest_seconds(timer) == 0)
        return;
    if (!take_from_place(timer))
        count_unplaced_down();
    go_on(timer);
}

bool prof_timers_are_at_rest(void)
{
    return atomic_load_explicit(&placed_count, memory_order_relaxed) != 0;
}

void prof_timers_wake(void)
{
    for (int i = 0; i < PLACES && prof_timers_are_at_rest(); i++) {
        int timer = atomic_load_explicit(&places[i], memory_order_relaxed) - 1;
        if (timer >= 0 && take_from_place(timer))
            go_on(timer);
    }
}

void prof_timer_forget(int timer)
{
    if (prof_timers_are_at_rest())
        (void)take_from_place(timer);
}
