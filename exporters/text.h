/*
 * Text as people read it: UTF-8 that is valid, widths in columns, figures in
 * units.
 */
#ifndef EXPORTERS_TEXT_H
#define EXPORTERS_TEXT_H

#include <stddef.h>
#include <stdint.h>

#define EXP_TEXT_REPLACEMENT 0xfffdu /* for what is not UTF-8 */
#define EXP_TEXT_UTF8_BYTES  4       /* of one code point, at most */
#define EXP_TEXT_VALUE_BYTES 32      /* of a figure with its unit */

/*
 * Read one code point and advance past it. A byte that starts no valid
 * sequence (RFC 3629: no surrogates, no overlong forms) is one
 * EXP_TEXT_REPLACEMENT; the end is 0, and is not passed.
 */
uint32_t exp_text_next(const char **text);

/* Encode a code point into `bytes`; the number of bytes. */
size_t exp_text_encode(
    uint32_t code_point, char bytes[static EXP_TEXT_UTF8_BYTES]);

/*
 * What a terminal, a line of text and an XML file can all take: a line break
 * or tab becomes a space, any other control character EXP_TEXT_REPLACEMENT.
 */
uint32_t exp_text_clean(uint32_t code_point);

/* The bytes of a text, up to its end or the first that is not printable ASCII:
   they are clean as they are. */
size_t exp_text_plain(const char *text);

/* Columns a terminal or a monospaced font gives it: 0, 1 or 2. */
unsigned exp_text_columns_of(uint32_t code_point);

/* Columns of the whole text. */
size_t exp_text_columns(const char *text);

/* The bytes of `text` that fit into `columns`. */
size_t exp_text_fit(const char *text, size_t columns);

/*
 * A value in its unit, with four significant digits: "1.234 s", "12.35 ms",
 * "1.5 MiB", "42". `unit` is a value type's: "nanoseconds", "bytes", or
 * anything else for a plain count. Returns `buffer`.
 */
const char *exp_text_value(
    uint64_t value, const char *unit, char buffer[static EXP_TEXT_VALUE_BYTES]);

/* A path behind its last slash; the whole of it where nothing is there. */
const char *exp_text_base_name(const char *path);

/* Hundred times part / whole; 0 of nothing. */
double exp_text_percent(uint64_t part, uint64_t whole);

/* a + b, or UINT64_MAX where the sum does not fit. */
uint64_t exp_text_add(uint64_t a, uint64_t b);

#endif
