/* The annex, read; perf_annex.h has the layout. */
#include "profiler/recording/perf_annex.h"

#include <string.h>

#include <zlib.h>

#include "profiler/base/table.h"

/*
 * Interned rows may get another id than they had, where a file holds one
 * twice. These tables tell the id in the profile for the id in the file.
 */
struct annex_reader {
    struct prof_cursor section;
    struct prof_profile *profile;
    struct table string, module, frame, stack;
    uint32_t value_types, processes, threads;
    uint64_t previous_ns;
    bool is_malformed, is_out_of_memory;
};

typedef void read_row(struct annex_reader *reader);

static uint64_t get(struct annex_reader *reader)
{
    return prof_cursor_varint(&reader->section);
}

static uint32_t get_u32(struct annex_reader *reader)
{
    uint64_t value = get(reader);
    reader->is_malformed |= value > UINT32_MAX;
    return (uint32_t)value;
}

/* An id below `limit`; 0 after reporting that it is not. */
static uint32_t get_id(struct annex_reader *reader, uint32_t limit)
{
    uint64_t id = get(reader);
    if (id < limit)
        return (uint32_t)id;
    reader->is_malformed = true;
    return 0;
}

/* The same, as the profile's id; PROF_NONE when malformed. */
static uint32_t get_mapped(struct annex_reader *reader, const struct table *map)
{
    uint64_t id = get(reader);
    if (id < map->count)
        return *(uint32_t *)table_row(map, (uint32_t)id);
    reader->is_malformed = true;
    return PROF_NONE;
}

static void keep(struct annex_reader *reader, struct table *map, uint32_t id)
{
    if (id == PROF_NONE || table_add(map, &id) == TABLE_NONE)
        reader->is_out_of_memory = true;
}

/* Rows are added only when their bytes were all there and in range. */
static bool is_good(const struct annex_reader *reader)
{
    return !reader->is_malformed && !reader->is_out_of_memory &&
           !reader->section.is_failed;
}

static void read_string(struct annex_reader *reader)
{
    uint64_t bytes = get(reader);
    const char *text = prof_cursor_take(&reader->section, bytes);
    if (!is_good(reader))
        return;
    keep(
        reader, &reader->string,
        prof_profile_string_n(reader->profile, text, (size_t)bytes));
}

static void read_value_type(struct annex_reader *reader)
{
    uint32_t name = get_mapped(reader, &reader->string);
    uint32_t unit = get_mapped(reader, &reader->string);
    reader->is_malformed |= reader->value_types == PROF_VALUE_TYPES;
    if (!is_good(reader))
        return;
    /* Both strings are interned already: adding them again moves nothing. */
    prof_profile_add_value_type(
        reader->profile, prof_profile_text(reader->profile, name),
        prof_profile_text(reader->profile, unit));
    reader->value_types++;
}

static void read_module(struct annex_reader *reader)
{
    struct prof_module row = {0};
    row.kind = get_id(reader, PROF_MODULE_ANONYMOUS + 1);
    row.path = get_mapped(reader, &reader->string);
    row.build_id_bytes = (uint8_t)get_id(reader, PROF_BUILD_ID_BYTES + 1);
    const void *build_id =
        prof_cursor_take(&reader->section, row.build_id_bytes);
    if (!is_good(reader))
        return;
    memcpy(row.build_id, build_id, row.build_id_bytes);
    keep(
        reader, &reader->module,
        prof_profile_add_module(reader->profile, &row));
}

static void read_process(struct annex_reader *reader)
{
    struct prof_process row = {0};
    row.pid = get_u32(reader);
    row.parent_pid = get_u32(reader);
    row.name = get_mapped(reader, &reader->string);
    row.path = get_mapped(reader, &reader->string);
    row.start_ns = get(reader);
    row.end_ns = get(reader);
    row.cpu_ns = get(reader);
    if (!is_good(reader))
        return;
    prof_profile_add_process(reader->profile, &row);
    reader->processes++;
}

static void read_mapping(struct annex_reader *reader)
{
    struct prof_mapping row = {0};
    row.process = get_id(reader, reader->processes);
    row.module = get_mapped(reader, &reader->module);
    row.start = get(reader);
    row.end = get(reader);
    row.offset = get(reader);
    row.from_ns = get(reader);
    row.to_ns = get(reader);
    if (is_good(reader))
        prof_profile_add_mapping(reader->profile, &row);
}

static void read_thread(struct annex_reader *reader)
{
    struct prof_thread row = {0};
    row.process = get_id(reader, reader->processes);
    row.tid = get_u32(reader);
    row.name = get_mapped(reader, &reader->string);
    if (!is_good(reader))
        return;
    prof_profile_add_thread(reader->profile, &row);
    reader->threads++;
}

static void read_line(struct annex_reader *reader, struct table *lines)
{
    struct prof_line line = {0};
    line.function = get_mapped(reader, &reader->string);
    line.file = get_mapped(reader, &reader->string);
    line.line = get_u32(reader);
    line.column = get_u32(reader);
    line.is_inlined = get_id(reader, 2) != 0;
    if (is_good(reader))
        reader->is_out_of_memory |= table_add(lines, &line) == TABLE_NONE;
}

static uint32_t read_frame_identity(struct annex_reader *reader)
{
    uint32_t kind = get_id(reader, PROF_FRAME_ACCOUNT + 1);
    if (kind == PROF_FRAME_NATIVE) {
        uint32_t module = get_mapped(reader, &reader->module);
        uint64_t offset = get(reader);
        if (!is_good(reader))
            return PROF_NONE;
        return prof_profile_add_native_frame(reader->profile, module, offset);
    }
    uint32_t name = get_mapped(reader, &reader->string);
    if (!is_good(reader))
        return PROF_NONE;
    return prof_profile_add_named_frame(
        reader->profile, kind, prof_profile_text(reader->profile, name));
}

static void read_frame(struct annex_reader *reader)
{
    uint32_t frame = read_frame_identity(reader);
    uint64_t count = get(reader);
    struct table lines = {.row_bytes = sizeof(struct prof_line)};
    for (uint64_t i = 0; i < count && is_good(reader); i++)
        read_line(reader, &lines);
    if (is_good(reader)) {
        keep(reader, &reader->frame, frame);
        if (count > 0)
            prof_profile_set_lines(
                reader->profile, frame, lines.rows, lines.count);
    }
    table_fini(&lines);
}

static void read_stack(struct annex_reader *reader)
{
    uint64_t parent = get(reader);
    uint32_t frame = get_mapped(reader, &reader->frame);
    reader->is_malformed |= parent > reader->stack.count;
    if (!is_good(reader))
        return;
    uint32_t above = PROF_NONE;
    if (parent > 0)
        above = *(uint32_t *)table_row(&reader->stack, (uint32_t)parent - 1);
    keep(
        reader, &reader->stack,
        prof_profile_add_stack(reader->profile, above, frame));
}

static void read_sample(struct annex_reader *reader)
{
    struct prof_sample row = {0};
    uint64_t step = get(reader);
    reader->previous_ns += step >> 1 ^ (step & 1 ? UINT64_MAX : 0);
    row.time_ns = reader->previous_ns;
    row.thread = get_id(reader, reader->threads);
    uint64_t stack = get(reader);
    row.state = (uint8_t)get_id(reader, PROF_STATE_COUNT);
    row.flags = (uint8_t)get_id(reader, UINT8_MAX + 1);
    for (uint32_t i = 0; i < reader->value_types; i++)
        row.values[i] = get(reader);
    reader->is_malformed |= stack > reader->stack.count;
    if (!is_good(reader))
        return;
    row.stack = PROF_NONE;
    if (stack > 0)
        row.stack = *(uint32_t *)table_row(&reader->stack, (uint32_t)stack - 1);
    prof_profile_add_sample(reader->profile, &row);
}

static void read_loss(struct annex_reader *reader)
{
    uint64_t bytes = get(reader);
    const char *text = prof_cursor_take(&reader->section, bytes);
    uint64_t count = get(reader);
    for (uint32_t i = 0; is_good(reader) && i < PROF_LOSS_COUNT; i++) {
        const char *reason = prof_loss_text(i);
        if (strlen(reason) == bytes && memcmp(reason, text, bytes) == 0)
            prof_profile_add_loss(reader->profile, i, count);
    }
}

static void read_origin(struct annex_reader *reader)
{
    struct prof_origin row = {0};
    row.command_line = get_mapped(reader, &reader->string);
    row.hostname = get_mapped(reader, &reader->string);
    row.os_release = get_mapped(reader, &reader->string);
    row.architecture = get_mapped(reader, &reader->string);
    row.clock = get_mapped(reader, &reader->string);
    row.period_ns = get(reader);
    row.start_unix_ns = get(reader);
    row.start_ns = get(reader);
    row.end_ns = get(reader);
    row.cpu_ns = get(reader);
    row.cpu_count = get_u32(reader);
    if (is_good(reader))
        *prof_profile_origin(reader->profile) = row;
}

static void read_note(struct annex_reader *reader)
{
    uint32_t text = get_mapped(reader, &reader->string);
    if (is_good(reader))
        prof_profile_add_note(
            reader->profile, prof_profile_text(reader->profile, text));
}

static void read_reading(struct annex_reader *reader)
{
    struct prof_reading row;
    row.time_ns = get(reader);
    row.span_ns = get(reader);
    row.cpu_ns = get(reader);
    row.resident_bytes = get(reader);
    row.process_count = get_u32(reader);
    row.thread_count = get_u32(reader);
    if (is_good(reader))
        prof_profile_add_reading(reader->profile, &row);
}

static read_row *const row_readers[] = {
    [PERF_ANNEX_STRING] = read_string,
    [PERF_ANNEX_VALUE_TYPE] = read_value_type,
    [PERF_ANNEX_MODULE] = read_module,
    [PERF_ANNEX_PROCESS] = read_process,
    [PERF_ANNEX_MAPPING] = read_mapping,
    [PERF_ANNEX_THREAD] = read_thread,
    [PERF_ANNEX_FRAME] = read_frame,
    [PERF_ANNEX_STACK] = read_stack,
    [PERF_ANNEX_SAMPLE] = read_sample,
    [PERF_ANNEX_LOSS] = read_loss,
    [PERF_ANNEX_ORIGIN] = read_origin,
    [PERF_ANNEX_NOTE] = read_note,
    [PERF_ANNEX_READING] = read_reading,
};

/* Every row takes a byte at least: a false count ends with the bytes. */
static void read_sections(
    struct annex_reader *reader, struct prof_cursor *annex)
{
    while (is_good(reader)) {
        uint64_t kind = prof_cursor_varint(annex);
        if (kind == PERF_ANNEX_END)
            break;
        uint64_t rows = prof_cursor_varint(annex);
        uint64_t bytes = prof_cursor_varint(annex);
        const void *data = prof_cursor_take(annex, bytes);
        if (annex->is_failed)
            break;
        if (kind >= sizeof row_readers / sizeof row_readers[0])
            continue;
        reader->section = prof_cursor_of(data, (size_t)bytes);
        for (uint64_t row = 0; row < rows && is_good(reader); row++)
            row_readers[kind](reader);
    }
    reader->is_malformed |= annex->is_failed || reader->section.is_failed;
}

/* The cursor over what the checksum covers, behind magic and version. */
static enum status open_annex(
    const void *data, size_t bytes, struct prof_cursor *annex,
    struct diag *diag)
{
    *annex = prof_cursor_of(data, bytes);
    const void *magic = prof_cursor_take(annex, 8);
    if (magic == NULL || memcmp(magic, PERF_ANNEX_MAGIC, 8) != 0 || bytes < 16)
        return fail(diag, STATUS_MALFORMED, "the annex has no beginning");

    annex->end -= 4;
    uLong wanted = 0;
    for (int i = 3; i >= 0; i--)
        wanted = wanted << 8 | annex->end[i];
    if (crc32_z(0, data, bytes - 4) != wanted)
        return fail(diag, STATUS_MALFORMED, "the annex's checksum is wrong");

    uint64_t version = prof_cursor_varint(annex);
    if (version > PERF_ANNEX_VERSION)
        return fail(
            diag, STATUS_UNSUPPORTED,
            "the annex is of version %llu, this watchfire reads %d",
            (unsigned long long)version, PERF_ANNEX_VERSION);
    return STATUS_OK;
}

enum status prof_perf_annex_read(
    const void *data, size_t bytes, struct prof_profile *profile,
    struct diag *diag)
{
    struct prof_cursor annex;
    enum status status = open_annex(data, bytes, &annex, diag);
    if (status != STATUS_OK)
        return status;

    struct annex_reader reader = {.profile = profile};
    reader.string.row_bytes = sizeof(uint32_t);
    reader.module.row_bytes = sizeof(uint32_t);
    reader.frame.row_bytes = sizeof(uint32_t);
    reader.stack.row_bytes = sizeof(uint32_t);
    read_sections(&reader, &annex);
    table_fini(&reader.string);
    table_fini(&reader.module);
    table_fini(&reader.frame);
    table_fini(&reader.stack);

    if (reader.is_out_of_memory || prof_profile_status(profile) != STATUS_OK)
        return fail(diag, STATUS_NO_MEMORY, "annex: out of memory");
    if (reader.is_malformed)
        return fail(
            diag, STATUS_MALFORMED, "the annex refers to what it lacks");
    return STATUS_OK;
}
