/* The cost of sampling all targets. */
#include "profiler/collector/overhead.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "profiler/base/clock.h"
#include "profiler/base/cycles_x86_64.h"
#include "profiler/collector/switch_cost.h"
#include "profiler/collector/target.h"

enum {
    LOOK_NS = 100000000,

    /* Of CPU time. Fewer are no matter of the program, but of who else runs. */
    SWITCHES_MIN_PER_S = 2000,
    /* Below the tick, so that it is the event that is armed, and not so short
       that the cost of samples is measured. */
    SWITCH_PERIOD_MIN_NS = 1000000,
};

/* Of all CPU time, with a margin for what measuring is worth here. */
static const double share_absurd = 1.5;

void prof_overhead_init(
    struct prof_overhead *overhead, double limit, uint64_t period_ns)
{
    *overhead = (struct prof_overhead){
        .is_any_cost_borne = limit >= 1,
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

static uint64_t switch_cost_ns(
    struct prof_overhead *overhead, enum prof_clock_mode mode)
{
    uint64_t period_ns = overhead->governor.period_ns;
    if (period_ns < SWITCH_PERIOD_MIN_NS)
        period_ns = SWITCH_PERIOD_MIN_NS;
    if (overhead->switch_period_ns != period_ns) {
        overhead->switch_period_ns = period_ns;
        overhead->switch_ns = prof_switch_cost_measure_ns(mode, period_ns);
    }
    return overhead->switch_ns;
}

/*
 * Whether the kernel arms and cancels nothing, as all threads have inherited
 * one event and are switched among themselves. Where that costs more than the
 * threads use, with it in, it is not what happens there.
 */
static bool is_free(
    const struct prof_target *target, bool is_among_themselves, double share)
{
    return prof_perf_clock_is_single(&target->clock) &&
           (is_among_themselves || share > share_absurd);
}

static void judge_switches(
    struct prof_overhead *overhead, struct prof_target *target, uint64_t now_ns)
{
    struct prof_switch_rate rate;
    if (target->mode == PROF_CLOCK_TIMER || overhead->is_any_cost_borne ||
        !prof_switching_tell(
            &target->switching, &target->account, now_ns, &rate) ||
        rate.runs_per_s < SWITCHES_MIN_PER_S)
        return;
    double share =
        1e-9 * rate.runs_per_s * (double)switch_cost_ns(overhead, target->mode);
    if (share < overhead->governor.limit ||
        is_free(target, rate.is_among_themselves, share) ||
        !prof_target_change_clock(target))
        return;
    overhead->changed_count++;
    if (share > overhead->changed_worst)
        overhead->changed_worst = share < 1 ? share : 1;
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
    for (struct prof_target *at = targets; at != NULL; at = at->next)
        judge_switches(overhead, at, now_ns);
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

static void tell_rate(
    const struct prof_overhead *overhead, char *text, uint32_t bytes)
{
    const struct prof_governor *governor = &overhead->governor;
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
}

bool prof_overhead_tell(
    const struct prof_overhead *overhead, char *text, uint32_t bytes)
{
    text[0] = '\0';
    if (overhead->governor.worst > 0)
        tell_rate(overhead, text, bytes);
    size_t used = strlen(text);
    if (overhead->changed_count > 0)
        (void)snprintf(
            text + used, bytes - used,
            "%s%" PRIu32 " process%s went over to CPU-clock timers, as perf "
            "events cost up to %.0f %% of the CPU time in switches "
            "(--max-overhead)",
            used > 0 ? "; " : "", overhead->changed_count,
            overhead->changed_count == 1 ? "" : "es",
            100 * overhead->changed_worst);
    return text[0] != '\0';
}
