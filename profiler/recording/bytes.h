/*
 * Bytes on their way out and in: a growing buffer, and a cursor that cannot
 * leave its input. Failure is sticky in both, so that a record is written or
 * read as a plain sequence and tested once at the end.
 *
 * Fixed-width integers are in this machine's order, as perf.data wants them;
 * a varint (LEB128) is the same everywhere.
 */
#ifndef PROFILER_RECORDING_BYTES_H
#define PROFILER_RECORDING_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/status.h"

struct prof_buffer {
    unsigned char *data;
    size_t count, capacity;
    bool is_failed; /* out of memory: what follows is dropped */
};

void prof_buffer_fini(struct prof_buffer *bytes);

void prof_buffer_put(struct prof_buffer *bytes, const void *data, size_t count);
void prof_buffer_u16(struct prof_buffer *bytes, uint16_t value);
void prof_buffer_u32(struct prof_buffer *bytes, uint32_t value);
void prof_buffer_u64(struct prof_buffer *bytes, uint64_t value);
void prof_buffer_varint(struct prof_buffer *bytes, uint64_t value);
void prof_buffer_zero(struct prof_buffer *bytes, size_t count);

/* `text` of `count` bytes, then 1 to `align` zero bytes up to the alignment. */
void prof_buffer_text(
    struct prof_buffer *bytes, const char *text, size_t count, size_t align);

/* Write all of it into a file of a recording; fails with SYSTEM. */
MUST_CHECK enum status prof_bytes_write_at(
    int fd, const void *data, size_t count, uint64_t offset, struct diag *diag);

struct prof_cursor {
    const unsigned char *at, *end;
    bool is_failed; /* something reached past the end: all that follows is 0 */
};

struct prof_cursor prof_cursor_of(const void *data, size_t count);

static inline size_t prof_cursor_left(const struct prof_cursor *cursor)
{
    return (size_t)(cursor->end - cursor->at);
}

/* The next `count` bytes, or NULL; valid as long as the input. */
const void *prof_cursor_take(struct prof_cursor *cursor, uint64_t count);
uint8_t prof_cursor_u8(struct prof_cursor *cursor);
uint16_t prof_cursor_u16(struct prof_cursor *cursor);
uint32_t prof_cursor_u32(struct prof_cursor *cursor);
uint64_t prof_cursor_u64(struct prof_cursor *cursor);
uint64_t prof_cursor_varint(struct prof_cursor *cursor);

#endif
