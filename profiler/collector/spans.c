/* What a program says of its own work. */
#include "profiler/collector/spans.h"

#include <stdatomic.h>
#include <string.h>

#include "profiler/collector/target_model.h"
#include "profiler/collector/target_threads.h"

static const enum prof_span_kind kinds[] = {
    [WIRE_SPAN_ROOT] = PROF_SPAN_ROOT,
    [WIRE_SPAN_START] = PROF_SPAN_START,
    [WIRE_SPAN_END] = PROF_SPAN_END,
    [WIRE_SPAN_TAG] = PROF_SPAN_TAG,
    [WIRE_SPAN_BAGGAGE] = PROF_SPAN_BAGGAGE};

void prof_spans_take(
    struct prof_target *target, const struct wire_span *record, uint32_t bytes)
{
    const struct prof_span_options *options = &target->common->spans;
    if (bytes < sizeof *record ||
        record->record.flags >= sizeof kinds / sizeof kinds[0] ||
        record->first_bytes >= PROF_SPAN_TEXT_BYTES ||
        record->second_bytes >= PROF_SPAN_TEXT_BYTES ||
        bytes - sizeof *record <
            (uint32_t)record->first_bytes + record->second_bytes) {
        target->malformed++;
        return;
    }
    if (options->take == NULL)
        return;
    struct prof_span span = {
        .kind = kinds[record->record.flags],
        .pid = target->pid,
        .tid = prof_target_outer_tid(target, record->record.tid),
        .time_ns = record->record.time_ns,
        .trace = {record->trace[0], record->trace[1]},
        .id = record->id,
        .parent = record->parent,
        .root = record->root,
        .status = record->status};
    memcpy(span.first, record->texts, record->first_bytes);
    memcpy(
        span.second, record->texts + record->first_bytes, record->second_bytes);
    options->take(options->owner, &span);
}

void prof_spans_count_unsampled(struct prof_target *target)
{
    const struct prof_span_options *options = &target->common->spans;
    struct wire_header *header = target->ring.ring.header;
    if (options->take == NULL ||
        atomic_load_explicit(&header->unsampled, memory_order_relaxed) == 0)
        return;
    options->count_unsampled(
        options->owner,
        atomic_exchange_explicit(&header->unsampled, 0, memory_order_relaxed));
}
