/* The events of a recording: their attributes, ids and names. */
#include "profiler/recording/perf_attr.h"

#include <string.h>

struct id_row {
    uint64_t id;
    uint32_t event;
};

void prof_perf_attrs_init(struct prof_perf_attrs *attrs)
{
    *attrs = (struct prof_perf_attrs){0};
    attrs->attr.row_bytes = sizeof(struct prof_perf_attr);
    attrs->id.row_bytes = sizeof(struct id_row);
}

void prof_perf_attrs_fini(struct prof_perf_attrs *attrs)
{
    table_fini(&attrs->attr);
    table_fini(&attrs->id);
    index_fini(&attrs->id_index);
}

static bool id_equal(const void *owner, uint32_t row, const void *key)
{
    const struct prof_perf_attrs *attrs = owner;
    const struct id_row *id = table_row(&attrs->id, row);
    return id->id == *(const uint64_t *)key;
}

uint32_t prof_perf_attrs_find(const struct prof_perf_attrs *attrs, uint64_t id)
{
    uint32_t row =
        index_find(&attrs->id_index, hash_u64(id), id_equal, attrs, &id);
    if (row == TABLE_NONE)
        return 0;
    const struct id_row *known = table_row(&attrs->id, row);
    return known->event;
}

bool prof_perf_attrs_add(
    struct prof_perf_attrs *attrs, const void *attr, size_t bytes,
    struct prof_cursor ids)
{
    struct prof_perf_attr row = {.name = ""};
    memcpy(&row.attr, attr, bytes < sizeof row.attr ? bytes : sizeof row.attr);
    uint32_t event = table_add(&attrs->attr, &row);
    if (event == TABLE_NONE)
        return false;

    while (prof_cursor_left(&ids) >= sizeof(uint64_t)) {
        struct id_row id = {prof_cursor_u64(&ids), event};
        uint32_t added = table_add(&attrs->id, &id);
        if (added == TABLE_NONE ||
            !index_add(&attrs->id_index, hash_u64(id.id), added))
            return false;
        attrs->is_own |= id.id == PERF_OWN_EVENT_ID;
    }
    return true;
}

struct prof_perf_attr *prof_perf_attrs_at(
    const struct prof_perf_attrs *attrs, uint32_t event)
{
    return table_row(&attrs->attr, event);
}

const char *prof_perf_attr_name(const struct prof_perf_attr *attr)
{
    static const char *const software[] = {
        "cpu-clock",  "task-clock",   "page-faults", "context-switches",
        "migrations", "minor-faults", "major-faults"};
    static const char *const hardware[] = {
        "cycles",
        "instructions",
        "cache-references",
        "cache-misses",
        "branches",
        "branch-misses",
        "bus-cycles",
        "stalled-cycles-frontend",
        "stalled-cycles-backend",
        "ref-cycles"};
    uint32_t config = (uint32_t)attr->attr.config;
    if (attr->name[0] != '\0')
        return attr->name;
    if (attr->attr.type == PERF_TYPE_SOFTWARE &&
        config < sizeof software / sizeof software[0])
        return software[config];
    if (attr->attr.type == PERF_TYPE_HARDWARE &&
        config < sizeof hardware / sizeof hardware[0])
        return hardware[config];
    return "event";
}

bool prof_perf_attr_is_clock(const struct perf_event_attr *attr)
{
    return attr->type == PERF_TYPE_SOFTWARE &&
           (attr->config == PERF_COUNT_SW_CPU_CLOCK ||
            attr->config == PERF_COUNT_SW_TASK_CLOCK);
}

uint64_t prof_perf_attr_period_ns(const struct perf_event_attr *attr)
{
    if (!attr->freq)
        return attr->sample_period;
    return attr->sample_freq ? 1000000000 / attr->sample_freq : 0;
}

/* Where cores differ, the high half of the number tells their kind. */
bool prof_perf_attr_is_same(
    const struct perf_event_attr *a, const struct perf_event_attr *b)
{
    bool is_hardware =
        a->type == PERF_TYPE_HARDWARE || a->type == PERF_TYPE_HW_CACHE;
    if (a->type != b->type)
        return false;
    return is_hardware ? (uint32_t)a->config == (uint32_t)b->config
                       : a->config == b->config;
}
