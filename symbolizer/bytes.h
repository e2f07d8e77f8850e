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

struct sym_bytes {
    const uint8_t *at, *end;
    bool is_bad; /* something was missing; sticky */
};

/* `offset` beyond `count` gives a range that is already bad. */
struct sym_bytes sym_bytes_of(const void *start, size_t count, uint64_t offset);

size_t sym_bytes_left(const struct sym_bytes *bytes);

/* Little-endian or big-endian as the machine is; `width` from 1 to 8. */
uint64_t sym_bytes_fixed(struct sym_bytes *bytes, unsigned width);

/* LEB128; bits beyond the 64th are dropped. */
uint64_t sym_bytes_uleb(struct sym_bytes *bytes);
int64_t sym_bytes_sleb(struct sym_bytes *bytes);

/* A NUL-terminated text; "" when the NUL is missing. */
const char *sym_bytes_text(struct sym_bytes *bytes);

void sym_bytes_skip(struct sym_bytes *bytes, uint64_t count);

/* Take the next `count` bytes as a range of their own. */
struct sym_bytes sym_bytes_take(struct sym_bytes *bytes, uint64_t count);

#endif
