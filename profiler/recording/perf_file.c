/* The container of perf.data: header, events, sections. */
#include "profiler/recording/perf_file.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "profiler/recording/perf_stream.h"

static enum status out_of_memory(
    const struct prof_perf_file *file, struct diag *diag)
{
    return fail(diag, STATUS_NO_MEMORY, "'%s': out of memory", file->name);
}

static enum status check_magic(
    const struct prof_perf_file *file, uint64_t magic, struct diag *diag)
{
    if (magic == PERF_FILE_MAGIC)
        return STATUS_OK;
    if (magic == PERF_FILE_MAGIC_SWAPPED)
        return fail(
            diag, STATUS_UNSUPPORTED,
            "'%s' was recorded on a machine of the other byte order; there, "
            "`perf script` makes text of it",
            file->name);
    return fail(
        diag, STATUS_UNSUPPORTED,
        "'%s' is not of the perf.data format that perf writes since 2010",
        file->name);
}

enum status prof_perf_file_open(
    struct prof_perf_file *file, int fd, const char *name, struct diag *diag)
{
    struct stat info;
    *file = (struct prof_perf_file){.fd = fd, .name = name};
    if (fstat(fd, &info) != 0)
        return fail(diag, STATUS_SYSTEM, "stat '%s'", name);
    file->bytes = (uint64_t)info.st_size;

    uint64_t head[2]; /* magic, size of the header */
    enum status status =
        prof_perf_read_at(fd, name, head, sizeof head, 0, diag);
    if (status == STATUS_OK)
        status = check_magic(file, head[0], diag);
    if (status != STATUS_OK)
        return status;
    file->is_pipe = head[1] == PERF_PIPE_HEADER;
    if (file->is_pipe)
        return STATUS_OK;
    return prof_perf_read_at(
        fd, name, &file->header, sizeof file->header, 0, diag);
}

enum status prof_perf_file_read_section(
    const struct prof_perf_file *file, struct perf_section section, void **data,
    struct diag *diag)
{
    *data = NULL;
    if (section.bytes > file->bytes ||
        section.offset > file->bytes - section.bytes)
        return fail(
            diag, STATUS_MALFORMED, "'%s' has a section past its end",
            file->name);
    if (section.bytes == 0)
        return STATUS_OK;
    void *copy = malloc(section.bytes);
    if (copy == NULL)
        return out_of_memory(file, diag);
    enum status status = prof_perf_read_at(
        file->fd, file->name, copy, section.bytes, section.offset, diag);
    if (status == STATUS_OK)
        *data = copy;
    else
        free(copy);
    return status;
}

static enum status read_attr(
    const struct prof_perf_file *file, struct prof_perf_attrs *attrs,
    const unsigned char *data, size_t bytes, struct diag *diag)
{
    struct perf_section ids;
    size_t attr_bytes = bytes - sizeof ids;
    memcpy(&ids, data + attr_bytes, sizeof ids);
    /* Events may share a section of ids, and each adds all of it. */
    if (ids.bytes / 8 > PERF_IDS_MAX - attrs->id.count)
        return fail(diag, STATUS_LIMIT, "'%s' has too many ids", file->name);
    void *copy;
    enum status status = prof_perf_file_read_section(file, ids, &copy, diag);
    if (status != STATUS_OK)
        return status;
    if (!prof_perf_attrs_add(
            attrs, data, attr_bytes, prof_cursor_of(copy, ids.bytes)))
        status = out_of_memory(file, diag);
    free(copy);
    return status;
}

enum status prof_perf_file_read_attrs(
    const struct prof_perf_file *file, struct prof_perf_attrs *attrs,
    struct diag *diag)
{
    uint64_t each = file->header.attr_bytes;
    struct perf_section section = file->header.attrs;
    if (each < PERF_ATTR_SIZE_VER0 + sizeof section || each > 4096 ||
        section.bytes / each > PERF_ATTRS_MAX || section.bytes < each)
        return fail(
            diag, STATUS_MALFORMED,
            "'%s' has %" PRIu64 " bytes of events of %" PRIu64 " bytes each",
            file->name, section.bytes, each);
    void *data;
    enum status status =
        prof_perf_file_read_section(file, section, &data, diag);
    for (uint64_t at = 0;
         status == STATUS_OK && data != NULL && at + each <= section.bytes;
         at += each)
        status = read_attr(
            file, attrs, (unsigned char *)data + at, (size_t)each, diag);
    free(data);
    return status;
}

bool prof_perf_file_has(const struct prof_perf_file *file, uint32_t feature)
{
    return file->header.features[feature / 64] >> feature % 64 & 1;
}

/* The table has a row for each bit that is set, in their order. */
enum status prof_perf_file_read_features(
    const struct prof_perf_file *file,
    struct perf_section sections[PERF_FEATURE_BITS], struct diag *diag)
{
    memset(sections, 0, PERF_FEATURE_BITS * sizeof *sections);
    uint64_t at = file->header.data.offset + file->header.data.bytes;
    for (uint32_t feature = 0; feature < PERF_FEATURE_BITS; feature++) {
        if (!prof_perf_file_has(file, feature))
            continue;
        enum status status = prof_perf_read_at(
            file->fd, file->name, &sections[feature], sizeof *sections, at,
            diag);
        if (status != STATUS_OK)
            return status;
        at += sizeof *sections;
    }
    return STATUS_OK;
}

uint64_t prof_perf_file_data_end(
    const struct prof_perf_file *file, bool *is_cut)
{
    struct perf_section data = file->header.data;
    bool is_killed = data.bytes == 0 && file->bytes > data.offset &&
                     !prof_perf_file_has(file, PERF_FEATURE_ANNEX);
    bool is_short =
        data.offset > file->bytes || data.bytes > file->bytes - data.offset;
    *is_cut = is_killed || is_short;
    return *is_cut ? file->bytes : data.offset + data.bytes;
}
