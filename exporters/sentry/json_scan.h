/*
 * Just enough of a JSON reader: the members of one object, each as the text it
 * is, after the whole has been found to be valid (RFC 8259). For the headers of
 * envelopes and the answers of backends, which are small and flat.
 */
#ifndef EXPORTERS_SENTRY_JSON_SCAN_H
#define EXPORTERS_SENTRY_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct exp_json_text {
    const char *at, *end;
};

struct exp_json_scan {
    struct exp_json_text rest;
};

/* Start with a text that must be one object; false when it is none. */
bool exp_json_scan_begin(
    struct exp_json_scan *scan, const char *text, size_t bytes);

/* The next member, its key without quotes; false after the last. */
bool exp_json_scan_member(
    struct exp_json_scan *scan, struct exp_json_text *key,
    struct exp_json_text *value);

/*
 * The last member of this key. As only texts without escapes are compared, a
 * key that is written with escapes is another.
 */
bool exp_json_find(
    const char *text, size_t bytes, const char *key,
    struct exp_json_text *value);

/* What is between the quotes of a string; false when it is another value. */
bool exp_json_text_string(struct exp_json_text *value);

/* A whole number from 0 to `max`. */
bool exp_json_text_u64(
    struct exp_json_text value, uint64_t max, uint64_t *number);

/* The elements of an array; 0 of anything else. */
size_t exp_json_text_count(struct exp_json_text value);

bool exp_json_text_equals(struct exp_json_text text, const char *other);

#endif
