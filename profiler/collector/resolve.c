/* From records to samples. */
#include "profiler/collector/resolve.h"

#include "profiler/collector/spans.h"
#include "profiler/collector/target_model.h"
#include "profiler/collector/target_records.h"
#include "profiler/collector/target_space.h"
#include "profiler/collector/target_threads.h"
#include "profiler/unwind/sig_walk.h"

/* Samples in a module make a table of rows for it worth while. */
static void count_for_table(
    struct prof_target *target, uint64_t word, uint64_t when_ns)
{
    const struct prof_space_mapping *at = prof_address_space_find(
        &target->space, word & PROF_FRAME_ADDRESS, when_ns);
    if (at != NULL)
        prof_tables_count(target->common->tables, target->pid, at, 1);
}

static void resolve_sample(
    struct prof_target *target, const struct wire_sample *sample,
    uint32_t bytes)
{
    struct prof_profile *profile = target->common->profile;
    if (sample->frame_count > WIRE_FRAMES_MAX ||
        sizeof *sample + sample->frame_count * sizeof(uint64_t) > bytes ||
        !prof_limits_take(&target->limits, sample->expiries)) {
        target->malformed++;
        return;
    }
    unsigned flags = sample->record.flags;
    uint64_t time_ns =
        prof_limits_time(&target->limits, sample->record.time_ns);
    bool is_tick = (flags & WIRE_SAMPLE_TICK) != 0;
    uint32_t generation = flags >> WIRE_SAMPLE_GENERATION_SHIFT;
    struct prof_pending pending = {
        .time_ns = time_ns,
        .generation = generation,
        .period_ns =
            is_tick ? target->tick_period_ns
                    : prof_perf_clock_period_ns(&target->clock, generation),
        .thread = prof_target_inner_thread(target, sample->record.tid),
        .stack = prof_target_stack(
            target, sample->frames, sample->frame_count, time_ns),
        .expiries = sample->expiries,
        .is_tick = is_tick,
        .is_changed = (flags & WIRE_SAMPLE_CHANGED) != 0,
        .is_from_kernel = (flags & WIRE_SAMPLE_FROM_KERNEL) != 0,
        .is_truncated =
            (flags & (WIRE_SAMPLE_CUT | WIRE_SAMPLE_INCOMPLETE)) != 0};

    for (uint32_t i = 0; i < sample->frame_count; i++) {
        if (sample->frames[i] & PROF_FRAME_GUESSED)
            prof_profile_add_loss(profile, PROF_LOSS_GUESSED, 1);
    }
    if (flags & WIRE_SAMPLE_CUT)
        prof_profile_add_loss(profile, PROF_LOSS_CUT, 1);
    if (flags & WIRE_SAMPLE_INCOMPLETE)
        prof_profile_add_loss(profile, PROF_LOSS_INCOMPLETE, 1);
    if (sample->frame_count > 0)
        count_for_table(target, sample->frames[0], pending.time_ns);
    if (pending.thread != TABLE_NONE)
        (void)table_add(&target->batch, &pending);
}

/* Threads that are not known share one account, which does not end. */
static void end_thread(
    struct prof_target *target, const struct wire_ended *ended, uint32_t bytes)
{
    if (bytes < sizeof *ended) {
        target->malformed++;
        return;
    }
    uint32_t tid = prof_target_ended_tid(target, ended->record.tid);
    if (tid == 0)
        return;
    if (target->looks != NULL)
        prof_looks_note_end(
            target->looks, tid, ended->begin_ns, ended->record.time_ns,
            ended->cpu_ns);
    prof_account_end_thread(
        &target->account, prof_target_known_thread(target, tid), ended->cpu_ns,
        ended->before_ns);
}

void prof_target_resolve(struct prof_target *target)
{
    _Alignas(8) unsigned char record[PROF_RECORD_ROOM];
    uint32_t bytes, at = 0;
    target->is_scanned = target->is_replaced;
    prof_target_apply_modules(target, 0);
    /* A refresh may add records to the end. */
    while ((bytes = prof_target_record(target, &at, record)) > 0) {
        const struct wire_record *head = (void *)record;
        if (head->type == WIRE_SAMPLE)
            resolve_sample(target, (void *)record, bytes);
        else if (head->type == WIRE_ENDED)
            end_thread(target, (void *)record, bytes);
        else if (head->type == WIRE_SPAN)
            prof_spans_take(target, (void *)record, bytes);
    }
}
