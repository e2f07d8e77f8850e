/* The records of perf.data, one after the other. */
#include "profiler/recording/perf_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zstd.h>

enum { WINDOW_BYTES = 1 << 18 };

struct prof_perf_stream {
    int fd;
    const char *name;
    uint64_t offset, end;  /* in the file: what the window does not hold yet */
    unsigned char *window; /* file bytes [at, count) are unread */
    size_t at, count;
    ZSTD_DStream *zstd; /* one for all COMPRESSED records, as perf has it */
    unsigned char *plain;
    size_t plain_at, plain_count, plain_capacity;
    bool is_cut;
};

struct prof_perf_stream *prof_perf_stream_create(
    int fd, const char *name, uint64_t offset, uint64_t end)
{
    struct prof_perf_stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL)
        return NULL;
    *stream = (struct prof_perf_stream){
        .fd = fd,
        .name = name,
        .offset = offset,
        .end = end < offset ? offset : end,
        .window = malloc(WINDOW_BYTES)};
    if (stream->window == NULL) {
        free(stream);
        return NULL;
    }
    return stream;
}

void prof_perf_stream_destroy(struct prof_perf_stream *stream)
{
    if (stream == NULL)
        return;
    (void)ZSTD_freeDStream(stream->zstd);
    free(stream->window);
    free(stream->plain);
    free(stream);
}

bool prof_perf_stream_is_cut(const struct prof_perf_stream *stream)
{
    return stream->is_cut || stream->plain_at != stream->plain_count;
}

/* As much of `bytes` as there is. */
static enum status read_some(
    int fd, const char *name, void *data, size_t bytes, uint64_t offset,
    size_t *done, struct diag *diag)
{
    *done = 0;
    while (*done < bytes) {
        ssize_t got = pread(
            fd, (char *)data + *done, bytes - *done, (off_t)(offset + *done));
        if (got == 0)
            return STATUS_OK;
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail(diag, STATUS_SYSTEM, "read '%s'", name);
        *done += (size_t)got;
    }
    return STATUS_OK;
}

enum status prof_perf_read_at(
    int fd, const char *name, void *data, size_t bytes, uint64_t offset,
    struct diag *diag)
{
    size_t done = 0;
    enum status status = STATUS_OK;
    if (offset <= INT64_MAX - bytes)
        status = read_some(fd, name, data, bytes, offset, &done, diag);
    if (status == STATUS_OK && done < bytes)
        status = fail(
            diag, STATUS_MALFORMED, "'%s' ends before offset %llu", name,
            (unsigned long long)offset + bytes);
    return status;
}

/* ---- the file ---- */

/* Have `bytes` unread in the window, unless the end comes before. */
static enum status fill(
    struct prof_perf_stream *stream, size_t bytes, struct diag *diag)
{
    size_t left = stream->count - stream->at;
    if (left >= bytes)
        return STATUS_OK;
    memmove(stream->window, stream->window + stream->at, left);
    stream->at = 0;
    stream->count = left;

    size_t wanted = WINDOW_BYTES - left;
    if (wanted > stream->end - stream->offset)
        wanted = (size_t)(stream->end - stream->offset);
    size_t done;
    enum status status = read_some(
        stream->fd, stream->name, stream->window + left, wanted, stream->offset,
        &done, diag);
    if (status != STATUS_OK)
        return status;
    stream->offset += done;
    stream->count += done;
    if (done < wanted)
        stream->end = stream->offset; /* the file is shorter than it says */
    return STATUS_OK;
}

static void skip(struct prof_perf_stream *stream, uint64_t bytes)
{
    size_t left = stream->count - stream->at;
    if (bytes <= left) {
        stream->at += (size_t)bytes;
        return;
    }
    bytes -= left;
    stream->at = stream->count;
    if (bytes > stream->end - stream->offset) {
        bytes = stream->end - stream->offset;
        stream->is_cut = true;
    }
    stream->offset += bytes;
}

static enum status check_size(
    const struct prof_perf_stream *stream,
    const struct perf_event_header *header, struct diag *diag)
{
    if (header->size >= sizeof *header)
        return STATUS_OK;
    return fail(
        diag, STATUS_MALFORMED,
        "'%s' has a record of type %u and %u bytes, less than a header",
        stream->name, header->type, header->size);
}

/* The end: nothing is left, or not enough for what was begun. */
static enum status end_of_file(struct prof_perf_stream *stream)
{
    stream->is_cut |= stream->at != stream->count;
    stream->at = stream->count;
    return STATUS_OK;
}

static enum status next_in_file(
    struct prof_perf_stream *stream, struct prof_perf_record *record,
    struct diag *diag)
{
    record->data = NULL;
    enum status status = fill(stream, sizeof record->header, diag);
    if (status != STATUS_OK)
        return status;
    if (stream->count - stream->at < sizeof record->header)
        return end_of_file(stream);
    memcpy(&record->header, stream->window + stream->at, sizeof record->header);
    status = check_size(stream, &record->header, diag);
    if (status == STATUS_OK)
        status = fill(stream, record->header.size, diag);
    if (status != STATUS_OK)
        return status;
    if (stream->count - stream->at < record->header.size)
        return end_of_file(stream);
    record->data = stream->window + stream->at;
    stream->at += record->header.size;
    return STATUS_OK;
}

/* ---- compressed records ---- */

/* Room for more plain bytes behind those not read yet. */
static enum status grow_plain(
    struct prof_perf_stream *stream, struct diag *diag)
{
    size_t left = stream->plain_count - stream->plain_at;
    if (stream->plain_at > 0) {
        memmove(stream->plain, stream->plain + stream->plain_at, left);
        stream->plain_at = 0;
        stream->plain_count = left;
    }
    if (stream->plain_count < stream->plain_capacity)
        return STATUS_OK;
    size_t capacity =
        stream->plain_capacity ? stream->plain_capacity * 2 : 1 << 20;
    if (capacity > PERF_STREAM_PLAIN_MAX)
        return fail(
            diag, STATUS_LIMIT,
            "'%s' has a compressed record that expands to more than %u MiB",
            stream->name, PERF_STREAM_PLAIN_MAX >> 20);
    unsigned char *plain = realloc(stream->plain, capacity);
    if (plain == NULL)
        return fail(
            diag, STATUS_NO_MEMORY, "'%s': out of memory", stream->name);
    stream->plain = plain;
    stream->plain_capacity = capacity;
    return STATUS_OK;
}

static enum status decompress(
    struct prof_perf_stream *stream, const struct prof_perf_record *record,
    struct diag *diag)
{
    if (stream->zstd == NULL)
        stream->zstd = ZSTD_createDStream();
    if (stream->zstd == NULL)
        return fail(
            diag, STATUS_NO_MEMORY, "'%s': out of memory", stream->name);

    size_t header = sizeof record->header;
    ZSTD_inBuffer in = {record->data + header, record->header.size - header, 0};
    bool is_full = false; /* there may be more to come without more input */
    while (in.pos < in.size || is_full) {
        enum status status = grow_plain(stream, diag);
        if (status != STATUS_OK)
            return status;
        ZSTD_outBuffer out = {
            stream->plain, stream->plain_capacity, stream->plain_count};
        size_t result = ZSTD_decompressStream(stream->zstd, &out, &in);
        stream->plain_count = out.pos;
        if (ZSTD_isError(result))
            return fail(
                diag, STATUS_MALFORMED, "'%s' has broken zstd: %s",
                stream->name, ZSTD_getErrorName(result));
        is_full = out.pos == out.size;
    }
    return STATUS_OK;
}

/* A whole record of the decompressed ones; data NULL: there is none. */
static enum status next_in_plain(
    struct prof_perf_stream *stream, struct prof_perf_record *record,
    struct diag *diag)
{
    record->data = NULL;
    size_t left = stream->plain_count - stream->plain_at;
    if (left < sizeof record->header)
        return STATUS_OK;
    memcpy(
        &record->header, stream->plain + stream->plain_at,
        sizeof record->header);
    enum status status = check_size(stream, &record->header, diag);
    if (status != STATUS_OK || left < record->header.size)
        return status;
    record->data = stream->plain + stream->plain_at;
    stream->plain_at += record->header.size;
    return STATUS_OK;
}

/* Bytes that belong to a record without being counted by its size. */
static uint64_t bytes_behind(const struct prof_perf_record *record)
{
    const unsigned char *body = record->data + sizeof record->header;
    size_t bytes = record->header.size - sizeof record->header;
    uint64_t trace = 0;
    uint32_t tracing = 0;
    if (record->header.type == PERF_USER_AUXTRACE && bytes >= sizeof trace)
        memcpy(&trace, body, sizeof trace);
    if (record->header.type == PERF_USER_HEADER_TRACING_DATA &&
        bytes >= sizeof tracing)
        memcpy(&tracing, body, sizeof tracing);
    return trace + ((uint64_t)tracing + 7) / 8 * 8;
}

enum status prof_perf_stream_next(
    struct prof_perf_stream *stream, struct prof_perf_record *record,
    struct diag *diag)
{
    for (;;) {
        enum status status = next_in_plain(stream, record, diag);
        if (status != STATUS_OK || record->data != NULL)
            return status;
        status = next_in_file(stream, record, diag);
        if (status != STATUS_OK || record->data == NULL)
            return status;
        if (record->header.type != PERF_USER_COMPRESSED)
            break;
        status = decompress(stream, record, diag);
        if (status != STATUS_OK)
            return status;
    }
    /* Skipping moves no byte of the window: the record stays valid. */
    skip(stream, bytes_behind(record));
    return STATUS_OK;
}
