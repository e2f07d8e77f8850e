/* The feature sections of a recording, read. */
#include <string.h>

#include "profiler/recording/perf_feature.h"

/* A string's text, without its padding. */
static const char *take_string(struct prof_cursor *data, size_t *bytes)
{
    uint32_t padded = prof_cursor_u32(data);
    const char *text = prof_cursor_take(data, padded);
    *bytes = text != NULL ? strnlen(text, padded) : 0;
    return text != NULL ? text : "";
}

static uint32_t read_text(
    const struct prof_perf_feature_sink *sink, struct prof_cursor *data)
{
    size_t bytes;
    const char *text = take_string(data, &bytes);
    return prof_profile_string_n(sink->profile, text, bytes);
}

/* Arguments, joined by spaces as perf shows them. */
static uint32_t read_command_line(
    const struct prof_perf_feature_sink *sink, struct prof_cursor *data)
{
    struct prof_buffer line = {0};
    uint32_t count = prof_cursor_u32(data);
    for (uint32_t i = 0; i < count && !data->is_failed; i++) {
        size_t bytes;
        const char *text = take_string(data, &bytes);
        if (i > 0)
            prof_buffer_put(&line, " ", 1);
        prof_buffer_put(&line, text, bytes);
    }
    uint32_t id = 0;
    if (line.count > 0 && !line.is_failed)
        id = prof_profile_string_n(
            sink->profile, (const char *)line.data, line.count);
    prof_buffer_fini(&line);
    return id;
}

static void read_event_names(
    const struct prof_perf_feature_sink *sink, struct prof_cursor *data)
{
    uint32_t count = prof_cursor_u32(data);
    uint32_t attr_bytes = prof_cursor_u32(data);
    for (uint32_t i = 0; i < count && i < sink->attrs->attr.count; i++) {
        prof_cursor_take(data, attr_bytes);
        uint32_t ids = prof_cursor_u32(data);
        size_t bytes;
        const char *name = take_string(data, &bytes);
        prof_cursor_take(data, (uint64_t)ids * 8);
        if (data->is_failed)
            return;
        struct prof_perf_attr *attr = prof_perf_attrs_at(sink->attrs, i);
        if (bytes >= sizeof attr->name)
            bytes = sizeof attr->name - 1;
        memcpy(attr->name, name, bytes);
        attr->name[bytes] = '\0';
    }
}

/* Behind the header: pid, 20 bytes and their number, path. */
void prof_perf_feature_read_build_id(
    const struct prof_perf_feature_sink *sink, uint16_t misc,
    struct prof_cursor body)
{
    prof_cursor_u32(&body);
    const uint8_t *build_id = prof_cursor_take(&body, 24);
    if (build_id == NULL)
        return;
    uint8_t bytes = PROF_BUILD_ID_BYTES;
    if (misc & PERF_MISC_BUILD_ID_SIZE)
        bytes = build_id[PROF_BUILD_ID_BYTES];
    size_t left = prof_cursor_left(&body);
    const char *path = prof_cursor_take(&body, left);
    prof_perf_modules_add_build_id(
        sink->modules, path, strnlen(path, left), build_id, bytes);
}

static void read_build_ids(
    const struct prof_perf_feature_sink *sink, struct prof_cursor *data)
{
    while (prof_cursor_left(data) > 0 && !data->is_failed) {
        prof_cursor_u32(data);
        uint16_t misc = prof_cursor_u16(data);
        uint16_t size = prof_cursor_u16(data);
        if (size < sizeof(struct perf_event_header))
            return;
        size -= sizeof(struct perf_event_header);
        const void *body = prof_cursor_take(data, size);
        if (body != NULL)
            prof_perf_feature_read_build_id(
                sink, misc, prof_cursor_of(body, size));
    }
}

void prof_perf_feature_read(
    const struct prof_perf_feature_sink *sink, uint64_t feature,
    struct prof_cursor data)
{
    struct prof_origin *origin = prof_profile_origin(sink->profile);
    switch (feature) {
    case PERF_FEATURE_BUILD_ID:
        read_build_ids(sink, &data);
        break;
    case PERF_FEATURE_HOSTNAME:
        origin->hostname = read_text(sink, &data);
        break;
    case PERF_FEATURE_OSRELEASE:
        origin->os_release = read_text(sink, &data);
        break;
    case PERF_FEATURE_ARCH:
        origin->architecture = read_text(sink, &data);
        break;
    case PERF_FEATURE_NRCPUS:
        origin->cpu_count = prof_cursor_u32(&data);
        break;
    case PERF_FEATURE_CMDLINE:
        origin->command_line = read_command_line(sink, &data);
        break;
    case PERF_FEATURE_EVENT_DESC:
        read_event_names(sink, &data);
        break;
    default:
        break;
    }
}
