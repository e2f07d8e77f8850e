/*
 * Reading a byte range that may hold anything. Every read is bounded; a read
 * past the end gives 0 and leaves a mark, so that a caller may read a whole
 * structure and test once.
 */
#ifndef SYMBOLIZER_BYTES_H
#define SYMBOLIZER_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct sym_bytes {
    const uint8_t *at, *end;
    bool is_bad; /* something was missing; sticky */
};

/* `offset` beyond `count` gives a range that is already bad. */
struct sym_bytes sym_bytes_of(const void *start, size_t count, uint64_t offset);

/* A NUL-terminated text; "" when the NUL is missing. */
const char *sym_bytes_text(struct sym_bytes *bytes);

/* The text that `bytes` begins with; "" when it has no end, or is longer than
   any name (SYM_TEXT_LIMIT_BYTES). */
const char *sym_bytes_short_text(struct sym_bytes bytes);

/* Take the next `count` bytes as a range of their own. */
struct sym_bytes sym_bytes_take(struct sym_bytes *bytes, uint64_t count);

/* LEB128 of more than one byte; bits beyond the 64th are dropped. */
uint64_t sym_bytes_long_uleb(struct sym_bytes *bytes);
int64_t sym_bytes_sleb(struct sym_bytes *bytes);

/* What follows runs for every attribute of every DIE, hence inline. */

static inline size_t sym_bytes_left(const struct sym_bytes *bytes)
{
    return (size_t)(bytes->end - bytes->at);
}

/* Nothing can be read any more. */
static inline void sym_bytes_spoil(struct sym_bytes *bytes)
{
    bytes->at = bytes->end;
    bytes->is_bad = true;
}

static inline void sym_bytes_skip(struct sym_bytes *bytes, uint64_t count)
{
    if (count > sym_bytes_left(bytes))
        sym_bytes_spoil(bytes);
    else
        bytes->at += count;
}

/* In the byte order of this machine; `width` from 1 to 8. */
static inline uint64_t sym_bytes_fixed(struct sym_bytes *bytes, unsigned width)
{
    if (width == 0 || width > 8 || sym_bytes_left(bytes) < width) {
        sym_bytes_spoil(bytes);
        return 0;
    }
    uint64_t value = 0;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    memcpy(&value, bytes->at, width);
#else
    memcpy((char *)&value + 8 - width, bytes->at, width);
#endif
    bytes->at += width;
    return value;
}

static inline uint64_t sym_bytes_uleb(struct sym_bytes *bytes)
{
    if (bytes->at < bytes->end && *bytes->at < 0x80)
        return *bytes->at++;
    return sym_bytes_long_uleb(bytes);
}

#endif
