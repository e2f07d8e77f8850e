/* The annex, written; perf_annex.h has the layout. */
#include "profiler/recording/perf_annex.h"

#include <string.h>

#include <zlib.h>

/* The layout's numbers are the model's; a change there must not change it. */
_Static_assert(PROF_MODULE_FILE == 0 && PROF_MODULE_VDSO == 1, "annex");
_Static_assert(PROF_MODULE_KERNEL == 2 && PROF_MODULE_ANONYMOUS == 3, "annex");
_Static_assert(PROF_FRAME_NATIVE == 0 && PROF_FRAME_NAMED == 1, "annex");
_Static_assert(PROF_FRAME_ACCOUNT == 2, "annex");
_Static_assert(PROF_STATE_UNKNOWN == 0 && PROF_STATE_ON_CPU == 1, "annex");
_Static_assert(PROF_STATE_OFF_CPU == 2 && PROF_STATE_RUNNABLE == 3, "annex");
_Static_assert(PROF_STATE_SLEEPING == 4, "annex");
_Static_assert(PROF_STATE_UNINTERRUPTIBLE == 5, "annex");
_Static_assert(PROF_STATE_STOPPED == 6 && PROF_STATE_COUNT == 7, "annex");

struct annex_writer {
    struct prof_buffer section; /* rows of the section at hand */
    const struct prof_profile *profile;
};

typedef void put_row(struct annex_writer *writer, uint32_t id);

static void put(struct annex_writer *writer, uint64_t value)
{
    prof_buffer_varint(&writer->section, value);
}

/* Strings may be absent in the model; here they are empty. */
static void put_text(struct annex_writer *writer, uint32_t id)
{
    put(writer, id == PROF_NONE ? 0 : id);
}

static void put_string(struct annex_writer *writer, uint32_t id)
{
    const char *text = prof_profile_text(writer->profile, id);
    size_t bytes = strlen(text);
    put(writer, bytes);
    prof_buffer_put(&writer->section, text, bytes);
}

static void put_value_type(struct annex_writer *writer, uint32_t id)
{
    const struct prof_value_type *row =
        prof_profile_value_type(writer->profile, id);
    put_text(writer, row->name);
    put_text(writer, row->unit);
}

static void put_module(struct annex_writer *writer, uint32_t id)
{
    const struct prof_module *row = prof_profile_module(writer->profile, id);
    put(writer, row->kind);
    put_text(writer, row->path);
    put(writer, row->build_id_bytes);
    prof_buffer_put(&writer->section, row->build_id, row->build_id_bytes);
}

static void put_process(struct annex_writer *writer, uint32_t id)
{
    const struct prof_process *row = prof_profile_process(writer->profile, id);
    put(writer, row->pid);
    put(writer, row->parent_pid);
    put_text(writer, row->name);
    put_text(writer, row->path);
    put(writer, row->start_ns);
    put(writer, row->end_ns);
    put(writer, row->cpu_ns);
}

static void put_mapping(struct annex_writer *writer, uint32_t id)
{
    const struct prof_mapping *row = prof_profile_mapping(writer->profile, id);
    put(writer, row->process);
    put(writer, row->module);
    put(writer, row->start);
    put(writer, row->end);
    put(writer, row->offset);
    put(writer, row->from_ns);
    put(writer, row->to_ns);
}

static void put_thread(struct annex_writer *writer, uint32_t id)
{
    const struct prof_thread *row = prof_profile_thread(writer->profile, id);
    put(writer, row->process);
    put(writer, row->tid);
    put_text(writer, row->name);
}

static void put_frame(struct annex_writer *writer, uint32_t id)
{
    const struct prof_frame *row = prof_profile_frame(writer->profile, id);
    put(writer, row->kind);
    if (row->kind == PROF_FRAME_NATIVE) {
        put(writer, row->module);
        put(writer, row->offset);
    } else {
        put_text(writer, row->name);
    }
    put(writer, row->line_count);
    for (uint32_t i = 0; i < row->line_count; i++) {
        const struct prof_line *line =
            prof_profile_line(writer->profile, row->first_line + i);
        put_text(writer, line->function);
        put_text(writer, line->file);
        put(writer, line->line);
        put(writer, line->column);
        put(writer, line->is_inlined);
    }
}

static void put_stack(struct annex_writer *writer, uint32_t id)
{
    const struct prof_stack *row = prof_profile_stack(writer->profile, id);
    put(writer, (uint32_t)(row->parent + 1));
    put(writer, row->frame);
}

void prof_perf_annex_put_sample(
    struct prof_buffer *bytes, const struct prof_profile *profile,
    const struct prof_sample *sample, uint64_t previous_ns)
{
    uint64_t step = sample->time_ns - previous_ns;
    prof_buffer_varint(bytes, step << 1 ^ (step >> 63 ? UINT64_MAX : 0));
    prof_buffer_varint(bytes, sample->thread);
    prof_buffer_varint(bytes, (uint32_t)(sample->stack + 1));
    prof_buffer_varint(bytes, sample->state);
    prof_buffer_varint(bytes, sample->flags);
    uint32_t types = prof_profile_value_type_count(profile);
    for (uint32_t i = 0; i < types; i++)
        prof_buffer_varint(bytes, sample->values[i]);
}

static void put_loss(struct annex_writer *writer, uint32_t id)
{
    const char *reason = prof_loss_text(id);
    size_t bytes = strlen(reason);
    put(writer, bytes);
    prof_buffer_put(&writer->section, reason, bytes);
    put(writer, prof_profile_loss(writer->profile, id));
}

static void put_origin(struct annex_writer *writer, uint32_t id)
{
    (void)id;
    const struct prof_origin *row = prof_profile_read_origin(writer->profile);
    put_text(writer, row->command_line);
    put_text(writer, row->hostname);
    put_text(writer, row->os_release);
    put_text(writer, row->architecture);
    put_text(writer, row->clock);
    put(writer, row->period_ns);
    put(writer, row->start_unix_ns);
    put(writer, row->start_ns);
    put(writer, row->end_ns);
    put(writer, row->cpu_ns);
    put(writer, row->cpu_count);
}

static void put_note(struct annex_writer *writer, uint32_t id)
{
    put_text(writer, prof_profile_note(writer->profile, id)->text);
}

static void put_reading(struct annex_writer *writer, uint32_t id)
{
    const struct prof_reading *row = prof_profile_reading(writer->profile, id);
    put(writer, row->time_ns);
    put(writer, row->span_ns);
    put(writer, row->cpu_ns);
    put(writer, row->resident_bytes);
    put(writer, row->process_count);
    put(writer, row->thread_count);
}

static void put_section(
    struct prof_buffer *bytes, struct annex_writer *writer,
    enum perf_annex_kind kind, uint32_t rows, put_row *put_one)
{
    writer->section.count = 0;
    for (uint32_t id = 0; id < rows; id++)
        put_one(writer, id);
    prof_buffer_varint(bytes, kind);
    prof_buffer_varint(bytes, rows);
    prof_buffer_varint(bytes, writer->section.count);
    prof_buffer_put(bytes, writer->section.data, writer->section.count);
    bytes->is_failed |= writer->section.is_failed;
}

void prof_perf_annex_put_tail(struct prof_buffer *bytes, uint32_t sum)
{
    static const unsigned char end = PERF_ANNEX_END;
    prof_buffer_put(bytes, &end, 1);
    uint32_t all = (uint32_t)crc32_z(sum, &end, 1);
    for (unsigned shift = 0; shift < 32; shift += 8) {
        unsigned char byte = (unsigned char)(all >> shift);
        prof_buffer_put(bytes, &byte, 1);
    }
}

void prof_perf_annex_write(
    struct prof_buffer *bytes, const struct prof_profile *profile,
    uint64_t rows, uint64_t row_bytes)
{
    struct annex_writer writer = {.profile = profile};
    prof_buffer_put(bytes, PERF_ANNEX_MAGIC, 8);
    prof_buffer_varint(bytes, PERF_ANNEX_VERSION);
#define SECTION(KIND, name)                                                    \
    put_section(                                                               \
        bytes, &writer, PERF_ANNEX_##KIND,                                     \
        prof_profile_##name##_count(profile), put_##name)
    SECTION(STRING, string);
    SECTION(VALUE_TYPE, value_type);
    SECTION(MODULE, module);
    SECTION(PROCESS, process);
    SECTION(MAPPING, mapping);
    SECTION(THREAD, thread);
    SECTION(FRAME, frame);
    SECTION(STACK, stack);
    put_section(bytes, &writer, PERF_ANNEX_LOSS, PROF_LOSS_COUNT, put_loss);
    put_section(bytes, &writer, PERF_ANNEX_ORIGIN, 1, put_origin);
    SECTION(NOTE, note);
    SECTION(READING, reading);
#undef SECTION
    prof_buffer_varint(bytes, PERF_ANNEX_SAMPLE);
    prof_buffer_varint(bytes, rows);
    prof_buffer_varint(bytes, row_bytes);
    prof_buffer_fini(&writer.section);
}
