/* The cost of sampling all targets. */
#include "profiler/collector/overhead.h"

#include <stdio.h>

#include "profiler/base/clock.h"
#include "profiler/base/cycles_x86_64.h"
#include "profiler/collector/target.h"

enum { LOOK_NS = 100000000 };

void prof_overhead_init(
    struct prof_overhead *overhead, double limit, uint64_t period_ns)
{
    *overhead = (struct prof_overhead){
        .start_ns = clock_now_ns(CLOCK_MONOTONIC),
        .start_cycles = cycles_now()};
    prof_governor_init(&overhead->governor, limit, period_ns);
}

static void measure(struct prof_overhead *overhead, enum prof_clock_mode mode)
{
    if (overhead->is_measured)
        return;
    overhead->is_measured = true;
    overhead->rates.signal = prof_signal_cost_measure(mode);
    uint64_t cycles = cycles_now() - overhead->start_cycles;
    uint64_t ns = clock_now_ns(CLOCK_MONOTONIC) - overhead->start_ns;
    overhead->rates.ns_per_cycle = cycles ? (double)ns / (double)cycles : 0;
}

bool prof_overhead_judge(
    struct prof_overhead *overhead, struct prof_target *targets)
{
    uint64_t now_ns = clock_now_ns(CLOCK_MONOTONIC);
    if (targets == NULL || now_ns < overhead->next_ns)
        return false;
    bool is_first = overhead->next_ns == 0;
    overhead->next_ns = now_ns + LOOK_NS;
    if (is_first)
        return false; /* most programs have ended by the next look */

    measure(overhead, targets->mode);
    uint64_t cost_ns = 0, cpu_ns = 0;
    for (struct prof_target *at = targets; at != NULL; at = at->next) {
        uint64_t cost, cpu;
        prof_target_tell_cost(at, &overhead->rates, &cost, &cpu);
        cost_ns += cost;
        cpu_ns += cpu;
    }
    if (!prof_governor_feed(&overhead->governor, cost_ns, cpu_ns, now_ns))
        return false;
    for (struct prof_target *at = targets; at != NULL; at = at->next)
        prof_target_set_period(at, overhead->governor.period_ns);
    return true;
}

bool prof_overhead_tell(
    const struct prof_overhead *overhead, char *text, uint32_t bytes)
{
    const struct prof_governor *governor = &overhead->governor;
    if (governor->worst == 0)
        return false;
    int used = snprintf(
        text, bytes,
        "sampling cost %.1f %% of the CPU time, so the rate was lowered to "
        "%.0f Hz to keep it below %g %% (--max-overhead)",
        100 * governor->worst, 1e9 / (double)governor->longest_ns,
        100 * governor->limit);
    if (governor->settled > 0 && used > 0 && (uint32_t)used < bytes)
        (void)snprintf(
            text + used, bytes - (uint32_t)used,
            "; at last %.0f Hz, at %.2g %%", 1e9 / (double)governor->period_ns,
            100 * governor->settled);
    return true;
}
