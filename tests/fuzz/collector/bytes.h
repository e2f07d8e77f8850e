/* The input of a fuzzer, taken from its beginning; zeroes when it is over. */
#ifndef TESTS_FUZZ_COLLECTOR_BYTES_H
#define TESTS_FUZZ_COLLECTOR_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct fuzz_bytes {
    const uint8_t *at, *end;
};

static inline void fuzz_take(struct fuzz_bytes *bytes, void *to, size_t count)
{
    size_t left = (size_t)(bytes->end - bytes->at);
    size_t taken = count < left ? count : left;
    memset(to, 0, count);
    if (taken > 0)
        memcpy(to, bytes->at, taken);
    bytes->at += taken;
}

#define FUZZ_TAKE(type, name)                                                  \
    static inline type fuzz_##name(struct fuzz_bytes *bytes)                   \
    {                                                                          \
        type value;                                                            \
        fuzz_take(bytes, &value, sizeof value);                                \
        return value;                                                          \
    }
FUZZ_TAKE(uint8_t, u8)
FUZZ_TAKE(uint16_t, u16)
FUZZ_TAKE(uint32_t, u32)
FUZZ_TAKE(uint64_t, u64)
#undef FUZZ_TAKE

#endif
