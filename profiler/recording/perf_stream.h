/*
 * The records of perf.data, one after the other, whatever holds them: a data
 * section, a pipe's dump, or zstd frames inside either.
 *
 * Memory is bounded: a window of the file, and at most
 * PERF_STREAM_PLAIN_MAX of decompressed records.
 */
#ifndef PROFILER_RECORDING_PERF_STREAM_H
#define PROFILER_RECORDING_PERF_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "profiler/recording/perf_format.h"

/* What one COMPRESSED record may expand to; perf writes below 4 MiB. */
#define PERF_STREAM_PLAIN_MAX (64u << 20)

struct prof_perf_stream;

/*
 * Records of `fd` between two offsets.
 *
 *   returns  NULL when out of memory
 *   owner    the caller; `fd` and `name` (for sentences) stay theirs
 */
struct prof_perf_stream *prof_perf_stream_create(
    int fd, const char *name, uint64_t offset, uint64_t end);
void prof_perf_stream_destroy(struct prof_perf_stream *stream);

/* A record: its header, copied, and all of its bytes, header included. */
struct prof_perf_record {
    struct perf_event_header header;
    const unsigned char *data; /* header.size bytes; NULL at the end */
};

/*
 * The next record; valid until the next call. What follows a record outside
 * of it (AUX traces, tracing data) is skipped.
 *
 *   fails  MALFORMED: a record smaller than its header, broken zstd; SYSTEM,
 *          NO_MEMORY, LIMIT
 */
MUST_CHECK enum status prof_perf_stream_next(
    struct prof_perf_stream *stream, struct prof_perf_record *record,
    struct diag *diag);

/* Whether the end came in the middle of a record. */
bool prof_perf_stream_is_cut(const struct prof_perf_stream *stream);

/*
 * Read exactly `bytes` at `offset`.
 *
 *   fails  SYSTEM; MALFORMED: the file ends before
 */
MUST_CHECK enum status prof_perf_read_at(
    int fd, const char *name, void *data, size_t bytes, uint64_t offset,
    struct diag *diag);

#endif
