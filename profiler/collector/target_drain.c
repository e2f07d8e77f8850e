/* From the ring of a target to samples of the profile. */
#include "profiler/collector/target_drain.h"

#include "profiler/collector/resolve.h"
#include "profiler/collector/spans.h"
#include "profiler/collector/target_cpu.h"
#include "profiler/collector/target_model.h"
#include "profiler/collector/target_records.h"

static void add_sample(
    struct prof_target *target, const struct prof_pending *sample)
{
    struct prof_target_common *common = target->common;
    const struct prof_account_thread *thread =
        table_row(&target->account.threads, sample->thread);
    struct prof_sample row = {
        .time_ns = sample->time_ns,
        .thread = thread->thread,
        .stack = sample->stack,
        .state = PROF_STATE_ON_CPU,
        .flags = sample->is_truncated ? PROF_SAMPLE_TRUNCATED : 0};
    row.values[common->value_cpu] = sample->weight_ns;
    if (common->is_wall)
        row.values[common->value_wall] = sample->weight_ns;
    row.values[common->value_samples] = sample->expiries;
    (void)prof_profile_add_sample(common->profile, &row);
    common->sample_count++;
}

double prof_target_drain(struct prof_target *target)
{
    target->records.count = 0;
    double share = prof_target_take(target);
    uint64_t exit_ns = atomic_load_explicit(
        &target->ring.ring.header->exit_time_ns, memory_order_relaxed);
    target->batch.count = 0;
    prof_target_resolve(target);
    prof_spans_count_unsampled(target);

    struct prof_pending *batch = target->batch.rows;
    uint64_t total_ns = target->batch.count ? prof_target_cpu_ns(target) : 0;
    prof_account_weigh(&target->account, batch, target->batch.count, total_ns);
    for (uint32_t i = 0; i < target->batch.count; i++) {
        /* A tick whose thread was in user mode: perf has that time already. */
        if (batch[i].weight_ns > 0)
            add_sample(target, &batch[i]);
        if (exit_ns != 0 && batch[i].time_ns >= exit_ns)
            target->late_ns += batch[i].weight_ns;
    }
    prof_slots_serve(
        &target->slots, &target->ring.ring, &target->space,
        target->common->tables);
    return share;
}
