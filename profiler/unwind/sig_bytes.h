/*
 * A bounded cursor over CFI bytes. Failure is sticky: a read past the end
 * gives 0, sets `is_bad`, and so do all reads after it; the parser tests once.
 */
#ifndef PROFILER_UNWIND_SIG_BYTES_H
#define PROFILER_UNWIND_SIG_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/status.h"

struct prof_bytes {
    const uint8_t *at, *end;
    bool is_bad;
};

static inline bool prof_bytes_has(struct prof_bytes *bytes, uint64_t count)
{
    if ((uint64_t)(bytes->end - bytes->at) >= count)
        return true;
    bytes->is_bad = true;
    bytes->at = bytes->end;
    return false;
}

SIGNAL_SAFE static inline void prof_bytes_skip(
    struct prof_bytes *bytes, uint64_t count)
{
    if (prof_bytes_has(bytes, count))
        bytes->at += count;
}

SIGNAL_SAFE static inline uint8_t prof_bytes_u8(struct prof_bytes *bytes)
{
    return prof_bytes_has(bytes, 1) ? *bytes->at++ : 0;
}

/* A little-endian integer of 1, 2, 4 or 8 bytes, zero-extended. */
SIGNAL_SAFE static inline uint64_t prof_bytes_uint(
    struct prof_bytes *bytes, unsigned width)
{
    uint64_t value = 0;
    if (!prof_bytes_has(bytes, width))
        return 0;
    for (unsigned i = 0; i < width; i++)
        value |= (uint64_t)bytes->at[i] << (8 * i);
    bytes->at += width;
    return value;
}

/* Sign-extend the low `width` bytes of `value`. */
SIGNAL_SAFE static inline int64_t prof_sign_extend(
    uint64_t value, unsigned width)
{
    unsigned unused = 64 - 8 * width;
    return (int64_t)(value << unused) >> unused;
}

SIGNAL_SAFE static inline int64_t prof_bytes_sint(
    struct prof_bytes *bytes, unsigned width)
{
    return prof_sign_extend(prof_bytes_uint(bytes, width), width);
}

/* LEB128; bits beyond the 64th are dropped, as every consumer does. */
SIGNAL_SAFE static inline uint64_t prof_bytes_uleb(struct prof_bytes *bytes)
{
    uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
        uint8_t byte = prof_bytes_u8(bytes);
        if (shift < 64)
            value |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0)
            return value;
    }
}

SIGNAL_SAFE static inline int64_t prof_bytes_sleb(struct prof_bytes *bytes)
{
    uint64_t value = 0;
    unsigned shift = 0;
    uint8_t byte;
    do {
        byte = prof_bytes_u8(bytes);
        if (shift < 64)
            value |= (uint64_t)(byte & 0x7f) << shift;
        shift += 7;
    } while (byte & 0x80);
    if (shift < 64 && (byte & 0x40))
        value |= ~UINT64_C(0) << shift;
    return (int64_t)value;
}

#endif
