/* From records to samples. */
#include "profiler/collector/resolve.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/clock.h"
#include "profiler/collector/spans.h"
#include "profiler/collector/target.h"
#include "profiler/unwind/sig_walk.h"

enum {
    RECORD_ROOM = WIRE_RECORD_BLOCKS * WIRE_BLOCK_BYTES,
    FRUITLESS_SCAN_NS = 1000000000
};

static void apply_module(
    struct prof_target *target, struct wire_module *module, uint32_t bytes)
{
    uint32_t path_room = bytes - (uint32_t)offsetof(struct wire_module, path);
    if (bytes <= offsetof(struct wire_module, path) ||
        memchr(module->path, '\0', path_room) == NULL ||
        module->build_id_bytes > WIRE_BUILD_ID_BYTES ||
        module->end <= module->start) {
        target->malformed++;
        return;
    }
    if (module->record.type == WIRE_UNMAPPED) {
        prof_address_space_remove(
            &target->space, module->start, module->end,
            prof_limits_time(&target->limits, module->record.time_ns));
        return;
    }
    /* Not even its name is kept. */
    if (target->space.mappings.count >= PROF_LIMIT_MAPPINGS) {
        target->malformed++;
        return;
    }
    struct prof_module row = {
        .kind = PROF_MODULE_FILE,
        .path = prof_profile_string(target->common->profile, module->path),
        .build_id_bytes = (uint8_t)module->build_id_bytes};
    memcpy(row.build_id, module->build_id, module->build_id_bytes);
    prof_address_space_add(
        &target->space, module->start, module->end, module->offset, &row);
}

/*
 * Copy the record at `*at` of the drain and move on; 0 at the end. Sizes were
 * written by us; the copy is for alignment, and because the table may grow.
 */
static uint32_t copy_record(
    const struct prof_target *target, uint32_t *at, unsigned char *record)
{
    uint32_t bytes;
    if (*at >= target->records.count)
        return 0;
    memcpy(&bytes, table_row(&target->records, *at), sizeof bytes);
    memcpy(record, table_row(&target->records, *at + sizeof bytes), bytes);
    *at += (uint32_t)sizeof bytes + bytes;
    return bytes;
}

static void apply_modules(struct prof_target *target, uint32_t at)
{
    _Alignas(8) unsigned char record[RECORD_ROOM];
    uint32_t bytes;
    while ((bytes = copy_record(target, &at, record)) > 0) {
        uint16_t type = ((struct wire_record *)(void *)record)->type;
        if (type == WIRE_MODULE || type == WIRE_UNMAPPED)
            apply_module(target, (void *)record, bytes);
        else if (type != WIRE_SAMPLE && type != WIRE_ENDED && type != WIRE_SPAN)
            target->malformed++;
    }
}

/* Read the maps, then what the ring has got meanwhile: see resolve.h. */
static void refresh(struct prof_target *target)
{
    target->is_scanned = true;
    char *maps = prof_address_space_read(&target->space);
    if (maps == NULL)
        return;
    uint64_t now_ns = clock_now_ns(CLOCK_MONOTONIC);
    uint32_t before = target->records.count;
    (void)prof_target_take(target);
    apply_modules(target, before);
    prof_address_space_apply(&target->space, maps, now_ns);
    free(maps);
}

/* What stood at `pc`; the maps are read anew when nothing known did. */
static const struct prof_space_mapping *find_mapping(
    void *owner, uint64_t pc, uint64_t when_ns)
{
    struct prof_target *target = owner;
    const struct prof_space_mapping *found =
        prof_address_space_find(&target->space, pc, when_ns);
    if (found != NULL || target->is_scanned || when_ns < target->next_scan_ns)
        return found;
    refresh(target);
    found = prof_address_space_find(&target->space, pc, when_ns);
    /* An address that nobody explains must not cost a reading each drain. */
    if (found == NULL)
        target->next_scan_ns = when_ns + FRUITLESS_SCAN_NS;
    return found;
}

/* Samples in a module make a table of rows for it worth while. */
static void count_for_table(
    struct prof_target *target, uint64_t word, uint64_t when_ns)
{
    const struct prof_space_mapping *at = prof_address_space_find(
        &target->space, word & PROF_FRAME_ADDRESS, when_ns);
    if (at != NULL)
        prof_tables_count(target->common->tables, target->pid, at, 1);
}

uint32_t prof_resolve_stack(
    struct prof_target *target, const uint64_t *words, uint32_t count,
    uint64_t when_ns)
{
    const struct prof_frame_finder finder = {
        .space = &target->space, .find = find_mapping, .owner = target};
    return prof_frame_cache_stack(
        &target->frames, &finder, words, count, when_ns);
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
        .thread = prof_target_thread(target, sample->record.tid),
        .stack = prof_resolve_stack(
            target, sample->frames, sample->frame_count, time_ns),
        .expiries = sample->expiries,
        .is_tick = is_tick,
        .is_syscall = (flags & WIRE_SAMPLE_SYSCALL) != 0,
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

/* Threads that are not told apart share one account, which does not end. */
static void end_thread(
    struct prof_target *target, const struct wire_ended *ended, uint32_t bytes)
{
    if (bytes < sizeof *ended) {
        target->malformed++;
        return;
    }
    /* In a pid name space of its own, its ids are not ours. */
    if (target->looks != NULL && target->inner_pid == target->pid)
        prof_looks_note_end(
            target->looks, ended->record.tid, ended->begin_ns,
            ended->record.time_ns, ended->cpu_ns);
    if (target->inner_pid == target->pid)
        prof_account_end_thread(
            &target->account,
            prof_target_known_thread(target, ended->record.tid), ended->cpu_ns,
            ended->before_ns);
}

void prof_target_resolve(struct prof_target *target)
{
    _Alignas(8) unsigned char record[RECORD_ROOM];
    uint32_t bytes, at = 0;
    target->is_scanned = target->is_replaced;
    apply_modules(target, 0);
    /* A refresh may add records to the end. */
    while ((bytes = copy_record(target, &at, record)) > 0) {
        const struct wire_record *head = (void *)record;
        if (head->type == WIRE_SAMPLE)
            resolve_sample(target, (void *)record, bytes);
        else if (head->type == WIRE_ENDED)
            end_thread(target, (void *)record, bytes);
        else if (head->type == WIRE_SPAN)
            prof_spans_take(target, (void *)record, bytes);
    }
}
