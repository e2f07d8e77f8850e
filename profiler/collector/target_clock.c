/* How the clock of a target is kept while it runs. */
#include "profiler/collector/target_clock.h"

#include <inttypes.h>

#include "profiler/base/clock.h"
#include "profiler/base/proc.h"
#include "profiler/collector/target_cpu.h"
#include "profiler/collector/target_drain.h"
#include "profiler/collector/target_model.h"

enum {
    /* A draw costs half a period, and is worth it where one is very unlucky. */
    PERIODS_A_DRAW = 1000,

    /* In doubt, so many periods must show most of the CPU time. */
    PERIODS_OF_PROOF = 100,
    PROOF_PERCENT = 60,
    DOUBTS_MAX = 3,

    /* One of so many handlers may have been away from the processor. */
    HANDLERS_AN_AWAY = 16,
};

static void note_armed(struct prof_target *target)
{
    target->timing.armed_given_ns = target->account.given_ns;
    target->timing.armed_clock_ns = target->clock_ns;
}

void prof_target_note_traced(const struct prof_target *target)
{
    if (target->common->traced.status == STATUS_OK)
        (void)fail(
            &target->common->traced, STATUS_NOT_PERMITTED,
            "process %" PRIu32 " was not sampled while it was traced: to its "
            "tracer, every sample would be a signal",
            target->pid);
}

void prof_target_arm(struct prof_target *target)
{
    struct prof_target_common *common = target->common;
    struct diag refusal = {.status = STATUS_OK};
    target->mode = common->best_mode;
    target->tick_period_ns = common->period_ns;
    uint64_t period_ns =
        common->governed_ns ? common->governed_ns : common->period_ns;
    target->timing.nominal_ns = period_ns;
    target->timing.cost_clock_ns = target->clock_ns;
    (void)prof_standing_look(
        &target->standing, target->pid, clock_now_ns(CLOCK_MONOTONIC));
    if (target->standing.is_traced) {
        /* To gdb and others, SIGTRAP is their own, and SIGPROF in the way. */
        prof_target_note_traced(target);
    } else if (common->wish != PROF_SAMPLES_NEVER) {
        prof_perf_clock_arm(
            &target->clock, target->pid, prof_perf_clock_draw_ns(period_ns),
            &target->mode, &refusal);
    }
    target->account.mode = target->mode;
    prof_target_set_period(target, period_ns);
    if (target->mode > common->worst_mode)
        common->worst_mode = target->mode;
    if (refusal.status != STATUS_OK && common->refusal.status == STATUS_OK)
        common->refusal = refusal;
}

void prof_target_resume(struct prof_target *target)
{
    const struct wire_header *header = target->ring.ring.header;
    if (!target->standing.is_traced && !target->is_execing &&
        !target->common->is_at_rest &&
        atomic_load_explicit(&header->is_paused, memory_order_relaxed) == 0)
        prof_perf_clock_resume(&target->clock);
}

void prof_target_rest(struct prof_target *target)
{
    struct wire_header *header = target->ring.ring.header;
    target->rests_from_ns = prof_target_cpu_ns(target);
    prof_perf_clock_pause(&target->clock);
    if (target->common->wish != PROF_SAMPLES_BY_SPAN)
        return;
    /* Before the drain, so that a start is not missed on both sides. */
    atomic_store(&header->rest, WIRE_AT_REST);
    (void)prof_target_drain(target);
}

void prof_target_count_rest(struct prof_target *target, uint64_t total_ns)
{
    if (target->common->is_at_rest && total_ns > target->rests_from_ns)
        target->account.rested_ns += total_ns - target->rests_from_ns;
}

void prof_target_rouse(struct prof_target *target)
{
    uint64_t used_ns = prof_target_cpu_ns(target);
    if (used_ns > target->rests_from_ns)
        target->account.rested_ns += used_ns - target->rests_from_ns;
    prof_account_rouse(&target->account, clock_now_ns(CLOCK_MONOTONIC));
    atomic_store(&target->ring.ring.header->rest, WIRE_AWAKE);
    prof_target_resume(target);
    note_armed(target);
    target->timing.cost_clock_ns = used_ns;
}

bool prof_target_is_roused(const struct prof_target *target)
{
    return atomic_load_explicit(
               &target->ring.ring.header->rest, memory_order_relaxed) ==
           WIRE_ROUSED;
}

static void rearm(struct prof_target *target)
{
    (void)prof_perf_clock_rearm(
        &target->clock, prof_perf_clock_draw_ns(target->timing.nominal_ns));
    note_armed(target);
}

void prof_target_set_period(struct prof_target *target, uint64_t period_ns)
{
    /* The agent's timers go on as they were, on the tick at best. */
    uint64_t tick_ns = target->account.tick_ns;
    if (tick_ns < target->tick_period_ns)
        tick_ns = target->tick_period_ns;
    atomic_store_explicit(
        &target->ring.ring.header->tick_stride, (uint32_t)(period_ns / tick_ns),
        memory_order_relaxed);
    target->account.period_ns = period_ns;
    if (period_ns == target->timing.nominal_ns)
        return;
    target->timing.nominal_ns = period_ns;
    target->timing.doubts = 0;
    rearm(target);
}

/* Whether the samples since it was armed show that no thread was missed. */
static void judge_doubt(
    struct prof_target *target, uint64_t given_ns, uint64_t used_ns)
{
    struct prof_target_clock *timing = &target->timing;
    if (used_ns < PERIODS_OF_PROOF * timing->nominal_ns)
        return;
    if (given_ns * 100 < used_ns * PROOF_PERCENT &&
        timing->doubts < DOUBTS_MAX) {
        timing->doubts++;
        rearm(target);
    } else {
        target->clock.is_in_doubt = false;
    }
}

void prof_target_tend_clock(struct prof_target *target)
{
    struct prof_target_clock *timing = &target->timing;
    prof_clock_change_tend(&target->change);
    if (target->mode == PROF_CLOCK_TIMER || target->is_replaced ||
        target->standing.is_traced)
        return;
    uint64_t given_ns = target->account.given_ns - timing->armed_given_ns;
    uint64_t used_ns = target->clock_ns - timing->armed_clock_ns;
    if (target->clock.is_in_doubt)
        judge_doubt(target, given_ns, used_ns);
    else if (
        given_ns >= PERIODS_A_DRAW * timing->nominal_ns &&
        prof_perf_clock_is_single(&target->clock) &&
        proc_thread_count(target->pid) == 1)
        rearm(target);
}

bool prof_target_change_clock(struct prof_target *target)
{
    struct wire_header *header = target->ring.ring.header;
    if (target->mode == PROF_CLOCK_TIMER || target->is_replaced ||
        target->is_execing || target->clock.is_paused ||
        atomic_load_explicit(&header->is_filtered, memory_order_relaxed))
        return false;
    /* In the other mode all threads have timers. */
    if (target->mode == PROF_CLOCK_PERF) {
        /* Who does not find it set is there, and gets an event. */
        atomic_store(&header->is_on_timers, 1);
        if (!prof_clock_change_open(&target->change))
            return false;
    }
    prof_perf_clock_leave(&target->clock);
    target->account.changed_ns = clock_now_ns(CLOCK_MONOTONIC);
    prof_clock_change_start(&target->change);
    target->mode = PROF_CLOCK_TIMER;
    return true;
}

double prof_handled_cycles(const struct prof_handled *handled)
{
    double longs = (double)handled->long_count;
    double others = (double)(handled->count - handled->long_count);
    if (longs * HANDLERS_AN_AWAY > (double)handled->count)
        return (double)handled->cycles +
               longs * (double)WIRE_HANDLED_CYCLES_MAX;
    return others > 0 ? (double)handled->cycles * (1 + longs / others) : 0;
}

/* Since the last time; all 0 where the counts are not to be believed. */
static struct prof_handled take_handled(struct prof_target *target)
{
    struct prof_handled *before = &target->timing.cost_handled;
    const struct wire_header *header = target->ring.ring.header;
    struct prof_handled now = {
        .count =
            atomic_load_explicit(&header->handled_count, memory_order_relaxed),
        .long_count = atomic_load_explicit(
            &header->handled_long_count, memory_order_relaxed),
        .cycles = atomic_load_explicit(
            &header->handled_cycles, memory_order_relaxed)};
    struct prof_handled since = {
        .count = now.count - before->count,
        .long_count = now.long_count - before->long_count,
        .cycles = now.cycles - before->cycles};
    bool is_sane =
        now.count >= before->count && now.long_count >= before->long_count &&
        now.cycles >= before->cycles && since.long_count <= since.count;
    *before = now;
    return is_sane ? since : (struct prof_handled){.count = 0};
}

void prof_target_tell_cost(
    struct prof_target *target, const struct prof_cost_rates *rates,
    uint64_t *cost_ns, uint64_t *cpu_ns)
{
    struct prof_target_clock *timing = &target->timing;
    struct prof_handled handled = take_handled(target);
    uint64_t used_ns = target->clock_ns > timing->cost_clock_ns
                           ? target->clock_ns - timing->cost_clock_ns
                           : 0;
    double cost = prof_handled_cycles(&handled) * rates->ns_per_cycle +
                  (double)handled.count * (double)rates->signal.signal_ns;
    if (target->mode != PROF_CLOCK_TIMER)
        cost += (double)used_ns / (double)timing->nominal_ns *
                (double)rates->signal.interrupt_ns;
    timing->cost_clock_ns = target->clock_ns;
    *cost_ns = cost < (double)used_ns ? (uint64_t)cost : used_ns;
    *cpu_ns = used_ns;
}
