/* What a target may claim; see the header. */
#include "profiler/collector/limits.h"

#include <time.h>
#include <unistd.h>

#include "profiler/base/clock.h"

/* HZ is 1 000 at most; periods are drawn, and clocks are not that exact. */
enum { TICK_NS = 1000000, MARGIN = 2 };

void prof_limits_init(struct prof_limits *limits, uint64_t period_ns)
{
    uint64_t now_ns = clock_now_ns(CLOCK_MONOTONIC);
    long processors = sysconf(_SC_NPROCESSORS_CONF);
    *limits = (struct prof_limits){
        .opened_ns = now_ns,
        .now_ns = now_ns,
        .period_ns = period_ns > 0 ? period_ns : 1,
        .processors = processors > 0 ? (uint64_t)processors : 1};
}

void prof_limits_note_read(struct prof_limits *limits)
{
    limits->now_ns = clock_now_ns(CLOCK_MONOTONIC);
}

bool prof_limits_take(struct prof_limits *limits, uint32_t expiries)
{
    uint64_t elapsed_ns = limits->now_ns - limits->opened_ns;
    uint64_t each = elapsed_ns / limits->period_ns + elapsed_ns / TICK_NS;
    uint64_t most = PROF_LIMIT_AT_ONCE + MARGIN * limits->processors * each;
    /* One that stands for nothing takes room all the same. */
    uint64_t claimed = limits->expiries + (expiries > 0 ? expiries : 1);
    if (claimed > most)
        return false;
    limits->expiries = claimed;
    return true;
}

uint64_t prof_limits_time(const struct prof_limits *limits, uint64_t time_ns)
{
    bool can_be = time_ns >= limits->opened_ns && time_ns <= limits->now_ns;
    return can_be ? time_ns : limits->now_ns;
}
