/* Bounded reading of bytes. */
#include "symbolizer/bytes.h"

#include "symbolizer/budget.h"

/* A range of nothing: its pointers are none that must not be added to. */
static struct sym_bytes nothing(void)
{
    static const uint8_t empty[1];
    return (struct sym_bytes){.at = empty, .end = empty, .is_bad = true};
}

struct sym_bytes sym_bytes_of(const void *start, size_t count, uint64_t offset)
{
    const uint8_t *first = start;
    if (first == NULL || offset > count)
        return nothing();
    return (struct sym_bytes){.at = first + offset, .end = first + count};
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
    sym_bytes_spoil(bytes);
    *is_neg = false;
    return 0;
}

uint64_t sym_bytes_long_uleb(struct sym_bytes *bytes)
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
        sym_bytes_spoil(bytes);
        return "";
    }
    const char *text = (const char *)bytes->at;
    bytes->at = nul + 1;
    return text;
}

const char *sym_bytes_short_text(struct sym_bytes bytes)
{
    if (sym_bytes_left(&bytes) > SYM_TEXT_LIMIT_BYTES)
        bytes.end = bytes.at + SYM_TEXT_LIMIT_BYTES;
    return sym_bytes_text(&bytes);
}

struct sym_bytes sym_bytes_take(struct sym_bytes *bytes, uint64_t count)
{
    if (count > sym_bytes_left(bytes)) {
        sym_bytes_spoil(bytes);
        return nothing();
    }
    struct sym_bytes taken = {.at = bytes->at, .end = bytes->at + count};
    bytes->at += count;
    return taken;
}
