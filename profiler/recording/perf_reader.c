/* perf.data -> a profile: the containers, and what goes where. */
#include "profiler/recording/perf_reader.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/recording/perf_annex.h"
#include "profiler/recording/perf_builder.h"
#include "profiler/recording/perf_feature.h"
#include "profiler/recording/perf_file.h"
#include "profiler/recording/perf_order.h"
#include "profiler/recording/perf_stream.h"

/* Real features have some kilobytes. The annex is bounded by the file alone. */
enum { FEATURE_BYTES_MAX = 64 << 20 };

struct perf_reader {
    struct prof_perf_file file;
    struct prof_profile *profile;
    struct prof_perf_attrs attrs;
    struct prof_perf_builder builder;
    struct prof_perf_order order;
    bool is_event_chosen;
    bool is_from_annex; /* the profile is complete without the records */
    bool is_cut;
    char remarks[sizeof((struct diag *)0)->text];
};

bool prof_perf_is_perf_data(const void *head, size_t bytes)
{
    uint64_t magic;
    if (bytes < sizeof magic)
        return false;
    memcpy(&magic, head, sizeof magic);
    return magic == PERF_FILE_MAGIC || magic == PERF_FILE_MAGIC_1 ||
           magic == PERF_FILE_MAGIC_SWAPPED;
}

/* Add a clause to what is said about a file that could be read. */
static void PRINTF_LIKE(2, 3)
    remark(struct perf_reader *reader, const char *format, ...)
{
    size_t used = strlen(reader->remarks);
    size_t left = sizeof reader->remarks - used;
    int wrote =
        snprintf(reader->remarks + used, left, "%s", used > 0 ? "; " : "");
    if (wrote < 0 || (size_t)wrote >= left)
        return;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(
        reader->remarks + used + wrote, left - (size_t)wrote, format, args);
    va_end(args);
}

static enum status out_of_memory(
    const struct perf_reader *reader, struct diag *diag)
{
    return fail(
        diag, STATUS_NO_MEMORY, "'%s': out of memory", reader->file.name);
}

/* ---- records ---- */

static enum status apply_record(
    void *context, const void *record, struct diag *diag)
{
    struct perf_reader *reader = context;
    struct prof_perf_event event;
    if (!reader->is_event_chosen)
        prof_perf_builder_choose_event(&reader->builder);
    reader->is_event_chosen = true;
    if (!prof_perf_event_parse(&reader->attrs, record, &event))
        return fail(
            diag, STATUS_MALFORMED, "'%s' has a record cut short",
            reader->file.name);
    prof_perf_builder_apply(&reader->builder, &event);
    if (reader->builder.is_failed ||
        prof_profile_status(reader->profile) != STATUS_OK)
        return out_of_memory(reader, diag);
    return STATUS_OK;
}

/* Records without a time hold from where they stand; others wait for theirs. */
static enum status add_kernel_record(
    struct perf_reader *reader, const struct prof_perf_record *record,
    struct diag *diag)
{
    struct prof_perf_event event;
    if (!prof_perf_event_parse(&reader->attrs, record->data, &event))
        return fail(
            diag, STATUS_MALFORMED,
            "'%s' has a record of type %u and %u bytes, too short for its "
            "event",
            reader->file.name, record->header.type, record->header.size);
    if (event.time_ns == 0 || event.time_ns == UINT64_MAX)
        return apply_record(reader, record->data, diag);
    return prof_perf_order_add(
        &reader->order, event.time_ns, record->data, record->header.size, diag);
}

/* In a pipe: perf_event_attr as long as it says, then ids. */
static enum status add_attr_record(
    struct perf_reader *reader, struct prof_cursor body, struct diag *diag)
{
    struct perf_event_attr attr;
    size_t bytes = PERF_ATTR_SIZE_VER0;
    if (prof_cursor_left(&body) >= bytes) {
        memcpy(&attr, body.at, PERF_ATTR_SIZE_VER0);
        bytes = attr.size < bytes ? bytes : attr.size;
    }
    const void *data = prof_cursor_take(&body, bytes);
    if (data == NULL || reader->attrs.attr.count >= PERF_ATTRS_MAX)
        return fail(
            diag, STATUS_MALFORMED, "'%s' has an event cut short, or too many",
            reader->file.name);
    if (!prof_perf_attrs_add(&reader->attrs, data, bytes, body))
        return out_of_memory(reader, diag);
    return STATUS_OK;
}

static struct prof_perf_feature_sink feature_sink(struct perf_reader *reader)
{
    return (struct prof_perf_feature_sink){
        .profile = reader->profile,
        .attrs = &reader->attrs,
        .modules = &reader->builder.modules};
}

static enum status add_record(
    struct perf_reader *reader, const struct prof_perf_record *record,
    struct diag *diag)
{
    size_t header = sizeof record->header;
    struct prof_cursor body =
        prof_cursor_of(record->data + header, record->header.size - header);
    struct prof_perf_feature_sink sink = feature_sink(reader);
    if (record->header.type < PERF_USER_HEADER_ATTR)
        return add_kernel_record(reader, record, diag);
    switch (record->header.type) {
    case PERF_USER_HEADER_ATTR:
        return add_attr_record(reader, body, diag);
    case PERF_USER_FINISHED_ROUND:
        return prof_perf_order_mark(&reader->order, diag);
    case PERF_USER_HEADER_BUILD_ID:
        prof_perf_feature_read_build_id(&sink, record->header.misc, body);
        break;
    case PERF_USER_HEADER_FEATURE: {
        uint64_t feature = prof_cursor_u64(&body);
        prof_perf_feature_read(&sink, feature, body);
        break;
    }
    default: /* there are dozens, of no concern to us, and more to come */
        break;
    }
    return STATUS_OK;
}

static enum status read_records(
    struct perf_reader *reader, uint64_t offset, uint64_t end,
    struct diag *diag)
{
    struct prof_perf_stream *stream = prof_perf_stream_create(
        reader->file.fd, reader->file.name, offset, end);
    if (stream == NULL)
        return out_of_memory(reader, diag);
    struct prof_perf_record record;
    enum status status;
    do {
        status = prof_perf_stream_next(stream, &record, diag);
        if (status == STATUS_OK && record.data != NULL)
            status = add_record(reader, &record, diag);
    } while (status == STATUS_OK && record.data != NULL);
    reader->is_cut |= prof_perf_stream_is_cut(stream);
    prof_perf_stream_destroy(stream);
    if (status == STATUS_OK)
        status = prof_perf_order_flush(&reader->order, diag);
    return status;
}

/* ---- sections of a file ---- */

/*
 * Read the annex, if there is a good one. When it is not, and OK is returned,
 * the profile is as empty as before.
 */
static enum status read_annex(
    struct perf_reader *reader, struct perf_section section, struct diag *diag)
{
    void *data = NULL;
    struct diag cause = {.text = ""};
    enum status status =
        prof_perf_file_read_section(&reader->file, section, &data, &cause);
    if (status == STATUS_OK && data != NULL) {
        status =
            prof_perf_annex_read(data, section.bytes, reader->profile, &cause);
        reader->is_from_annex = status == STATUS_OK;
    }
    free(data);
    if (status == STATUS_OK)
        return STATUS_OK;
    /* The records are still there, unless a part of it was taken over. */
    bool is_untouched = prof_profile_string_count(reader->profile) == 1;
    if (status == STATUS_NO_MEMORY || !is_untouched)
        return fail(diag, status, "'%s': %s", reader->file.name, cause.text);
    remark(reader, "%s", cause.text);
    return STATUS_OK;
}

/* Features only describe: a broken one is said and left out. */
static void read_features(
    struct perf_reader *reader,
    const struct perf_section sections[PERF_FEATURE_BITS])
{
    struct prof_perf_feature_sink sink = feature_sink(reader);
    for (uint32_t feature = 0; feature < PERF_FEATURE_ANNEX; feature++) {
        void *data;
        if (sections[feature].bytes > FEATURE_BYTES_MAX ||
            prof_perf_file_read_section(
                &reader->file, sections[feature], &data, NULL) != STATUS_OK) {
            remark(reader, "feature %" PRIu32 " cannot be read", feature);
            continue;
        }
        prof_perf_feature_read(
            &sink, feature, prof_cursor_of(data, sections[feature].bytes));
        free(data);
    }
}

static enum status read_file(struct perf_reader *reader, struct diag *diag)
{
    const struct prof_perf_file *file = &reader->file;
    enum status status = prof_perf_file_read_attrs(file, &reader->attrs, diag);
    if (status != STATUS_OK)
        return status;

    uint64_t end = prof_perf_file_data_end(file, &reader->is_cut);
    struct perf_section sections[PERF_FEATURE_BITS];
    if (!reader->is_cut)
        reader->is_cut =
            prof_perf_file_read_features(file, sections, NULL) != STATUS_OK;
    if (!reader->is_cut) {
        status = read_annex(reader, sections[PERF_FEATURE_ANNEX], diag);
        if (status != STATUS_OK || reader->is_from_annex)
            return status;
        read_features(reader, sections);
    }
    if (reader->attrs.is_own)
        remark(
            reader,
            "'%s' was not finished: inlined frames, counts of loss and "
            "further values are missing",
            file->name);
    return read_records(reader, file->header.data.offset, end, diag);
}

/* ---- the whole ---- */

/* What the samples tell about the recording. */
static void finish_origin(struct perf_reader *reader)
{
    struct prof_profile *profile = reader->profile;
    struct prof_origin *origin = prof_profile_origin(profile);
    uint32_t count = prof_profile_sample_count(profile);
    for (uint32_t id = 0; id < count; id++) {
        uint64_t time_ns = prof_profile_sample(profile, id)->time_ns;
        if (id == 0 || time_ns < origin->start_ns)
            origin->start_ns = time_ns;
        if (time_ns > origin->end_ns)
            origin->end_ns = time_ns;
    }
    if (reader->attrs.attr.count == 0)
        return;
    char clock[PERF_EVENT_NAME_BYTES + 8];
    (void)snprintf(
        clock, sizeof clock, "perf %s",
        prof_perf_attr_name(
            prof_perf_attrs_at(&reader->attrs, reader->builder.chosen)));
    uint32_t id = prof_profile_string(profile, clock);
    prof_profile_origin(profile)->clock = id;
}

static void finish_remarks(struct perf_reader *reader, struct diag *diag)
{
    const struct prof_perf_builder *builder = &reader->builder;
    if (reader->is_cut)
        remark(
            reader, "'%s' is truncated: what could be read was kept",
            reader->file.name);
    if (builder->other_samples > 0)
        remark(
            reader,
            "only samples of %s were kept, %" PRIu64 " of other events left "
            "out",
            prof_perf_attr_name(
                prof_perf_attrs_at(&reader->attrs, builder->chosen)),
            builder->other_samples);
    if (builder->dumped_samples > 0)
        remark(
            reader,
            "%" PRIu64 " samples have a copied stack, which was not unwound",
            builder->dumped_samples);
    (void)fail(diag, STATUS_OK, "%s", reader->remarks);
}

static enum status read_any(struct perf_reader *reader, struct diag *diag)
{
    enum status status;
    if (reader->file.is_pipe)
        status =
            read_records(reader, PERF_PIPE_HEADER, reader->file.bytes, diag);
    else
        status = read_file(reader, diag);
    if (status != STATUS_OK || reader->is_from_annex)
        return status;
    if (!reader->is_event_chosen)
        prof_perf_builder_choose_event(&reader->builder);
    finish_origin(reader);
    return prof_profile_status(reader->profile) == STATUS_OK
               ? STATUS_OK
               : out_of_memory(reader, diag);
}

enum status prof_perf_read(
    int fd, const char *name, struct prof_profile *profile, struct diag *diag)
{
    struct perf_reader reader = {.profile = profile};
    enum status status = prof_perf_file_open(&reader.file, fd, name, diag);
    if (status != STATUS_OK)
        return status;
    prof_perf_attrs_init(&reader.attrs);
    prof_perf_builder_init(&reader.builder, profile, &reader.attrs);
    prof_perf_order_init(&reader.order, apply_record, &reader);
    status = read_any(&reader, diag);
    if (status == STATUS_OK)
        finish_remarks(&reader, diag);
    prof_perf_order_fini(&reader.order);
    prof_perf_builder_fini(&reader.builder);
    prof_perf_attrs_fini(&reader.attrs);
    return status;
}
