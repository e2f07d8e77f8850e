/* What a record of the kernel's says. */
#include "profiler/recording/perf_event.h"

#include <string.h>

/* ---- which event a record belongs to ---- */

/* Fields before the id in a sample, where IDENTIFIER does not come first. */
#define BEFORE_ID                                                              \
    (PERF_SAMPLE_IP | PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_ADDR)

/* Fields of struct sample_id, each 8 bytes, at the end of other records. */
#define IN_SAMPLE_ID                                                           \
    (PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_ID |                     \
     PERF_SAMPLE_STREAM_ID | PERF_SAMPLE_CPU | PERF_SAMPLE_IDENTIFIER)

static size_t field_bytes(uint64_t fields)
{
    return 8 * (size_t)__builtin_popcountll(fields);
}

/* perf demands that all events of a file agree on where the id stands. */
static uint32_t find_event(
    const struct prof_perf_attrs *attrs, struct prof_cursor body, uint32_t type)
{
    uint64_t fields = prof_perf_attrs_at(attrs, 0)->attr.sample_type;
    uint64_t id_field = fields & (PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_ID);
    if (attrs->attr.count == 1 || id_field == 0)
        return 0;
    if (type == PERF_RECORD_SAMPLE) {
        if (!(fields & PERF_SAMPLE_IDENTIFIER))
            prof_cursor_take(&body, field_bytes(fields & BEFORE_ID));
        return prof_perf_attrs_find(attrs, prof_cursor_u64(&body));
    }
    size_t behind = 8; /* from the id to the end of the record */
    if (!(fields & PERF_SAMPLE_IDENTIFIER))
        behind +=
            field_bytes(fields & (PERF_SAMPLE_STREAM_ID | PERF_SAMPLE_CPU));
    if (prof_cursor_left(&body) < behind)
        return 0;
    body.at = body.end - behind;
    return prof_perf_attrs_find(attrs, prof_cursor_u64(&body));
}

/* ---- samples ---- */

static void skip_read_format(
    struct prof_cursor *body, const struct perf_event_attr *attr)
{
    uint64_t format = attr->read_format;
    uint64_t times = format & (PERF_FORMAT_TOTAL_TIME_ENABLED |
                               PERF_FORMAT_TOTAL_TIME_RUNNING);
    uint64_t each =
        8 + field_bytes(format & (PERF_FORMAT_ID | PERF_FORMAT_LOST));
    if (!(format & PERF_FORMAT_GROUP)) {
        prof_cursor_take(body, field_bytes(times) + each);
        return;
    }
    uint64_t count = prof_cursor_u64(body);
    prof_cursor_take(body, field_bytes(times));
    if (count > prof_cursor_left(body) / each)
        body->is_failed = true;
    else
        prof_cursor_take(body, count * each);
}

static void take_chain(struct prof_cursor *body, struct prof_perf_event *event)
{
    event->chain_count = prof_cursor_u64(body);
    if (event->chain_count > prof_cursor_left(body) / 8)
        body->is_failed = true;
    else
        event->chain = prof_cursor_take(body, event->chain_count * 8);
}

static void skip_branches(
    struct prof_cursor *body, const struct perf_event_attr *attr)
{
    uint64_t count = prof_cursor_u64(body);
    if (attr->branch_sample_type & PERF_SAMPLE_BRANCH_HW_INDEX)
        prof_cursor_u64(body);
    if (count > prof_cursor_left(body) / 24)
        body->is_failed = true;
    else
        prof_cursor_take(body, count * 24);
}

/* The fields behind the chain matter for one: is there a copied stack? */
static void take_tail(
    struct prof_cursor *body, const struct perf_event_attr *attr,
    struct prof_perf_event *event)
{
    uint64_t fields = attr->sample_type;
    if (fields & PERF_SAMPLE_RAW)
        prof_cursor_take(body, prof_cursor_u32(body));
    if (fields & PERF_SAMPLE_BRANCH_STACK)
        skip_branches(body, attr);
    if (fields & PERF_SAMPLE_REGS_USER &&
        prof_cursor_u64(body) != PERF_SAMPLE_REGS_ABI_NONE)
        prof_cursor_take(body, field_bytes(attr->sample_regs_user));
    if (fields & PERF_SAMPLE_STACK_USER) {
        uint64_t bytes = prof_cursor_u64(body);
        prof_cursor_take(body, bytes);
        event->has_user_stack = bytes > 0;
    }
}

/* What a sample without PERIOD stands for. */
static uint64_t period_of(const struct perf_event_attr *attr)
{
    if (!attr->freq)
        return attr->sample_period;
    uint64_t period_ns =
        prof_perf_attr_is_clock(attr) ? prof_perf_attr_period_ns(attr) : 0;
    return period_ns ? period_ns : 1;
}

static void take_sample(
    struct prof_cursor *body, const struct perf_event_attr *attr,
    struct prof_perf_event *event)
{
    uint64_t fields = attr->sample_type;
    if (fields & PERF_SAMPLE_IDENTIFIER)
        prof_cursor_u64(body);
    if (fields & PERF_SAMPLE_IP)
        event->ip = prof_cursor_u64(body);
    if (fields & PERF_SAMPLE_TID) {
        event->pid = prof_cursor_u32(body);
        event->tid = prof_cursor_u32(body);
    }
    if (fields & PERF_SAMPLE_TIME)
        event->time_ns = prof_cursor_u64(body);
    prof_cursor_take(
        body, field_bytes(
                  fields & (PERF_SAMPLE_ADDR | PERF_SAMPLE_ID |
                            PERF_SAMPLE_STREAM_ID | PERF_SAMPLE_CPU)));
    event->period =
        fields & PERF_SAMPLE_PERIOD ? prof_cursor_u64(body) : period_of(attr);
    if (fields & PERF_SAMPLE_READ)
        skip_read_format(body, attr);
    if (fields & PERF_SAMPLE_CALLCHAIN)
        take_chain(body, event);
    take_tail(body, attr, event);
}

/* ---- the other records ---- */

/* Text up to its NUL, or all that is left. */
static void take_name(struct prof_cursor *body, struct prof_perf_event *event)
{
    event->name = (const char *)body->at;
    event->name_bytes = strnlen(event->name, prof_cursor_left(body));
}

static void take_mmap(
    struct prof_cursor *body, uint32_t misc, struct prof_perf_event *event)
{
    event->pid = prof_cursor_u32(body);
    event->tid = prof_cursor_u32(body);
    event->start = prof_cursor_u64(body);
    event->bytes = prof_cursor_u64(body);
    event->offset = prof_cursor_u64(body);
    event->is_data = misc & PERF_RECORD_MISC_MMAP_DATA;
    if (event->type == PERF_RECORD_MMAP2) {
        const uint8_t *identity = prof_cursor_take(body, 24);
        prof_cursor_take(body, 8); /* protection, flags */
        if (identity != NULL && misc & PERF_MISC_MMAP_BUILD_ID) {
            event->build_id_bytes = identity[0] > 20 ? 20 : identity[0];
            event->build_id = identity + 4;
        }
    }
    take_name(body, event);
}

static void take_comm(
    struct prof_cursor *body, uint32_t misc, struct prof_perf_event *event)
{
    event->pid = prof_cursor_u32(body);
    event->tid = prof_cursor_u32(body);
    event->is_exec = misc & PERF_RECORD_MISC_COMM_EXEC;
    take_name(body, event);
}

/* FORK and EXIT, which have their time in front, whatever sample_id says. */
static void take_task(struct prof_cursor *body, struct prof_perf_event *event)
{
    event->pid = prof_cursor_u32(body);
    event->parent_pid = prof_cursor_u32(body);
    event->tid = prof_cursor_u32(body);
    prof_cursor_u32(body); /* the parent's thread */
    event->time_ns = prof_cursor_u64(body);
}

static void take_ksymbol(
    struct prof_cursor *body, struct prof_perf_event *event)
{
    event->start = prof_cursor_u64(body);
    event->bytes = prof_cursor_u32(body);
    prof_cursor_take(body, 4); /* type, flags */
    take_name(body, event);
}

/* Cut struct sample_id off the end of the body, and take the time from it. */
static void take_sample_id(
    struct prof_cursor *body, const struct perf_event_attr *attr,
    struct prof_perf_event *event)
{
    uint64_t fields = attr->sample_type & IN_SAMPLE_ID;
    size_t bytes = field_bytes(fields);
    if (!attr->sample_id_all)
        return;
    if (prof_cursor_left(body) < bytes) {
        body->is_failed = true;
        return;
    }
    struct prof_cursor id = prof_cursor_of(body->end - bytes, bytes);
    body->end -= bytes;
    if (fields & PERF_SAMPLE_TID)
        prof_cursor_u64(&id);
    if (fields & PERF_SAMPLE_TIME)
        event->time_ns = prof_cursor_u64(&id);
}

static void take_other(
    struct prof_cursor *body, const struct perf_event_attr *attr, uint32_t misc,
    struct prof_perf_event *event)
{
    take_sample_id(body, attr, event);
    switch (event->type) {
    case PERF_RECORD_MMAP:
    case PERF_RECORD_MMAP2:
        take_mmap(body, misc, event);
        break;
    case PERF_RECORD_COMM:
        take_comm(body, misc, event);
        break;
    case PERF_RECORD_FORK:
    case PERF_RECORD_EXIT:
        take_task(body, event);
        break;
    case PERF_RECORD_KSYMBOL:
        take_ksymbol(body, event);
        break;
    case PERF_RECORD_LOST:
        prof_cursor_u64(body); /* of which event */
        event->lost = prof_cursor_u64(body);
        break;
    case PERF_RECORD_LOST_SAMPLES:
        event->lost = prof_cursor_u64(body);
        break;
    default:
        break;
    }
}

bool prof_perf_event_parse(
    const struct prof_perf_attrs *attrs, const void *record,
    struct prof_perf_event *event)
{
    struct perf_event_header header;
    memcpy(&header, record, sizeof header);
    struct prof_cursor body = prof_cursor_of(record, header.size);
    prof_cursor_take(&body, sizeof header);
    if (attrs->attr.count == 0)
        return false;

    *event = (struct prof_perf_event){
        .type = header.type,
        .event = find_event(attrs, body, header.type),
        .is_kernel = (header.misc & PERF_RECORD_MISC_CPUMODE_MASK) ==
                     PERF_RECORD_MISC_KERNEL};
    const struct perf_event_attr *attr =
        &prof_perf_attrs_at(attrs, event->event)->attr;
    if (header.type == PERF_RECORD_SAMPLE)
        take_sample(&body, attr, event);
    else
        take_other(&body, attr, header.misc, event);
    return !body.is_failed;
}
