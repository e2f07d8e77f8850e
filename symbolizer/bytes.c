/* Bounded reading of bytes. */
#include "symbolizer/bytes.h"

#include <string.h>

struct sym_bytes sym_bytes_of(const void *start, size_t count, uint64_t offset)
{
    const uint8_t *first = start;
    if (first == NULL || offset > count)
        return (struct sym_bytes){.is_bad = true};
    return (struct sym_bytes){.at = first + offset, .end = first + count};
}

size_t sym_bytes_left(const struct sym_bytes *bytes)
{
    return (size_t)(bytes->end - bytes->at);
}

/* Nothing can be read any more. */
static void spoil(struct sym_bytes *bytes)
{
    bytes->at = bytes->end;
    bytes->is_bad = true;
}

uint64_t sym_bytes_fixed(struct sym_bytes *bytes, unsigned width)
{
    if (width == 0 || width > 8 || sym_bytes_left(bytes) < width) {
        spoil(bytes);
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

/* The raw bits, and in `shift` how many of them were given. */
static uint64_t leb_bits(struct sym_bytes *bytes, unsigned *shift, bool *is_neg)
{
    uint64_t value = 0;
    *shift = 0;
    while (bytes->at < bytes->end) {
        uint8_t byte = *bytes->at++;
        if (*shift < 64)
            value |= (uint64_t)(byte & 0x7f) << *shift;
        *shift += 7;
        if ((byte & 0x80) == 0) {
            *is_neg = (byte & 0x40) != 0;
            return value;
        }
    }
    spoil(bytes);
    *is_neg = false;
    return 0;
}

uint64_t sym_bytes_uleb(struct sym_bytes *bytes)
{
    unsigned shift;
    bool is_negative;
    return leb_bits(bytes, &shift, &is_negative);
}

int64_t sym_bytes_sleb(struct sym_bytes *bytes)
{
    unsigned shift;
    bool is_negative;
    uint64_t value = leb_bits(bytes, &shift, &is_negative);
    if (is_negative && shift < 64)
        value |= ~UINT64_C(0) << shift;
    return (int64_t)value;
}

const char *sym_bytes_text(struct sym_bytes *bytes)
{
    const uint8_t *nul = NULL;
    if (bytes->at < bytes->end)
        nul = memchr(bytes->at, 0, sym_bytes_left(bytes));
    if (nul == NULL) {
        spoil(bytes);
        return "";
    }
    const char *text = (const char *)bytes->at;
    bytes->at = nul + 1;
    return text;
}

void sym_bytes_skip(struct sym_bytes *bytes, uint64_t count)
{
    if (count > sym_bytes_left(bytes))
        spoil(bytes);
    else
        bytes->at += count;
}

struct sym_bytes sym_bytes_take(struct sym_bytes *bytes, uint64_t count)
{
    if (count > sym_bytes_left(bytes)) {
        spoil(bytes);
        return (struct sym_bytes){.is_bad = true};
    }
    struct sym_bytes taken = {.at = bytes->at, .end = bytes->at + count};
    bytes->at += count;
    return taken;
}
