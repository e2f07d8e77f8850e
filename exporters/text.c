/* Text as people read it. */
#include "exporters/text.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* The length and payload of a sequence's first byte; 0: starts none. */
static unsigned sequence_bytes(unsigned char first, uint32_t *payload)
{
    if (first < 0x80) {
        *payload = first;
        return 1;
    }
    /* 0xc0 and 0xc1 could only start overlong forms. */
    if (first >= 0xc2 && first < 0xe0) {
        *payload = first & 0x1f;
        return 2;
    }
    if (first >= 0xe0 && first < 0xf0) {
        *payload = first & 0x0f;
        return 3;
    }
    if (first >= 0xf0 && first < 0xf5) {
        *payload = first & 0x07;
        return 4;
    }
    return 0;
}

static bool is_scalar(uint32_t code_point, unsigned bytes)
{
    static const uint32_t lowest[] = {0, 0, 0x80, 0x800, 0x10000};
    bool is_surrogate = code_point >= 0xd800 && code_point < 0xe000;
    return code_point >= lowest[bytes] && code_point <= 0x10ffff &&
           !is_surrogate;
}

uint32_t exp_text_next(const char **text)
{
    const unsigned char *at = (const unsigned char *)*text;
    if (*at == 0)
        return 0;

    uint32_t code_point = 0;
    unsigned bytes = sequence_bytes(at[0], &code_point);
    /* The final NUL is no continuation, so this never reads past it. */
    for (unsigned i = 1; i < bytes; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            bytes = 0;
            break;
        }
        code_point = code_point << 6 | (at[i] & 0x3f);
    }
    if (bytes == 0 || !is_scalar(code_point, bytes)) {
        *text += 1;
        return EXP_TEXT_REPLACEMENT;
    }
    *text += bytes;
    return code_point;
}

size_t exp_text_encode(
    uint32_t code_point, char bytes[static EXP_TEXT_UTF8_BYTES])
{
    if (code_point < 0x80) {
        bytes[0] = (char)code_point;
        return 1;
    }
    size_t count = code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
    for (size_t i = count - 1; i > 0; i--) {
        bytes[i] = (char)(0x80 | (code_point & 0x3f));
        code_point >>= 6;
    }
    static const unsigned char marks[] = {0, 0, 0xc0, 0xe0, 0xf0};
    bytes[0] = (char)(marks[count] | code_point);
    return count;
}

uint32_t exp_text_clean(uint32_t code_point)
{
    if (code_point == '\n' || code_point == '\t' || code_point == '\r')
        return ' ';
    bool is_control =
        code_point < 0x20 || (code_point >= 0x7f && code_point < 0xa0);
    bool is_break = code_point == 0x2028 || code_point == 0x2029;
    /* The last two of every plane are no characters, and XML forbids some. */
    bool is_none = (code_point & 0xfffe) == 0xfffe;
    return is_control || is_break || is_none ? EXP_TEXT_REPLACEMENT
                                             : code_point;
}

size_t exp_text_plain(const char *text)
{
    const char *at = text;
    while (*at >= ' ' && *at <= '~')
        at++;
    return (size_t)(at - text);
}

unsigned exp_text_columns_of(uint32_t code_point)
{
    /* Blocks, not the Unicode tables: names of functions are mostly ASCII. */
    static const struct {
        uint32_t first, last;
        unsigned columns;
    } blocks[] = {
        {0x0300, 0x036f, 0},   /* combining accents */
        {0x1100, 0x115f, 2},   /* Hangul Jamo */
        {0x200b, 0x200f, 0},   /* zero width, direction marks */
        {0x202a, 0x202e, 0},   /* direction overrides */
        {0x2060, 0x206f, 0},   /* invisible operators, isolates */
        {0x2e80, 0xa4cf, 2},   /* CJK, Kana, Yi */
        {0xac00, 0xd7a3, 2},   /* Hangul syllables */
        {0xf900, 0xfaff, 2},   /* CJK compatibility */
        {0xfe00, 0xfe0f, 0},   /* variation selectors */
        {0xfe30, 0xfe6f, 2},   /* CJK forms */
        {0xff00, 0xff60, 2},   /* fullwidth forms */
        {0x1f300, 0x1faff, 2}, /* pictographs */
        {0x20000, 0x3fffd, 2}, /* CJK extensions */
    };
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
        if (code_point >= blocks[i].first && code_point <= blocks[i].last)
            return blocks[i].columns;
    }
    return 1;
}

size_t exp_text_columns(const char *text)
{
    size_t columns = 0;
    for (uint32_t code_point; (code_point = exp_text_next(&text)) != 0;)
        columns += exp_text_columns_of(code_point);
    return columns;
}

size_t exp_text_fit(const char *text, size_t columns)
{
    const char *end = text;
    for (const char *at = text; *at; end = at) {
        unsigned wanted = exp_text_columns_of(exp_text_next(&at));
        if (wanted > columns)
            break;
        columns -= wanted;
        if (*at == '\0')
            return (size_t)(at - text);
    }
    return (size_t)(end - text);
}

struct unit {
    double size;
    const char *name;
};

/* Four significant digits; a whole number of the smallest unit as it is. */
static const char *scaled(
    uint64_t value, const struct unit *units, size_t count,
    char buffer[static EXP_TEXT_VALUE_BYTES])
{
    /* What rounds up to the next unit belongs to it: 999.96 us is 1 ms. */
    size_t at = 0;
    while (at + 1 < count && (double)value >= units[at + 1].size * 0.99995)
        at++;
    double figure = (double)value / units[at].size;
    int decimals = figure < 9.9995   ? 3
                   : figure < 99.995 ? 2
                   : figure < 999.95 ? 1
                                     : 0;
    (void)snprintf(
        buffer, EXP_TEXT_VALUE_BYTES, "%.*f %s", at ? decimals : 0, figure,
        units[at].name);
    return buffer;
}

const char *exp_text_value(
    uint64_t value, const char *unit, char buffer[static EXP_TEXT_VALUE_BYTES])
{
    static const struct unit times[] = {
        {1, "ns"}, {1e3, "us"}, {1e6, "ms"}, {1e9, "s"}};
    static const struct unit sizes[] = {
        {1, "B"},
        {1024.0, "KiB"},
        {1024.0 * 1024, "MiB"},
        {1024.0 * 1024 * 1024, "GiB"},
        {1024.0 * 1024 * 1024 * 1024, "TiB"}};

    if (strcmp(unit, "nanoseconds") == 0)
        return scaled(value, times, sizeof times / sizeof times[0], buffer);
    if (strcmp(unit, "bytes") == 0)
        return scaled(value, sizes, sizeof sizes / sizeof sizes[0], buffer);
    (void)snprintf(buffer, EXP_TEXT_VALUE_BYTES, "%" PRIu64, value);
    return buffer;
}

double exp_text_percent(uint64_t part, uint64_t whole)
{
    return whole ? 100.0 * (double)part / (double)whole : 0.0;
}

uint64_t exp_text_add(uint64_t a, uint64_t b)
{
    return b > UINT64_MAX - a ? UINT64_MAX : a + b;
}

const char *exp_text_base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL && slash[1] != '\0' ? slash + 1 : path;
}
