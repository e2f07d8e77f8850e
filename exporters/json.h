/*
 * A streaming JSON writer: commas, nesting and escapes are its business, a
 * failure sticks in the byte writer below it.
 *
 *     exp_json_begin_object(&json);
 *     exp_json_key(&json, "total");
 *     exp_json_u64(&json, 42);
 *     exp_json_end(&json);
 *
 * Strings may hold anything: invalid UTF-8 becomes U+FFFD. A value where a key
 * belongs, one `end` too many or nesting beyond EXP_JSON_DEPTH is a mistake of
 * the caller and fails the writer with STATUS_LIMIT. (RFC 8259)
 */
#ifndef EXPORTERS_JSON_H
#define EXPORTERS_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/status.h"

#define EXP_JSON_DEPTH 16

enum exp_json_style {
    EXP_JSON_COMPACT,
    EXP_JSON_INDENTED, /* two spaces a level; an array of scalars is one line */
    EXP_JSON_MARKUP,   /* compact, with '<', '>' and '&' escaped, so that it
                          may stand inside a script element of XML or HTML */
};

struct exp_writer;

struct exp_json {
    struct exp_writer *writer;
    enum exp_json_style style;
    int depth;
    char open[EXP_JSON_DEPTH];       /* '{' or '[' of each level */
    bool is_started[EXP_JSON_DEPTH]; /* the level has a member already */
    bool is_broken[EXP_JSON_DEPTH];  /* its members are on lines of their own */
    bool has_key;                    /* a key waits for its value */
};

struct exp_json exp_json_init(
    struct exp_writer *writer, enum exp_json_style style);

void exp_json_begin_object(struct exp_json *json);
void exp_json_begin_array(struct exp_json *json);
void exp_json_end(struct exp_json *json);

void exp_json_key(struct exp_json *json, const char *key);

void exp_json_string(struct exp_json *json, const char *text);
void exp_json_u64(struct exp_json *json, uint64_t value);
void exp_json_i64(struct exp_json *json, int64_t value);
void exp_json_double(
    struct exp_json *json, double value); /* not finite: null */
/* `value` over ten to the power of `digits`, all of which are written. */
void exp_json_fixed(struct exp_json *json, uint64_t value, unsigned digits);
void exp_json_bool(struct exp_json *json, bool value);
void exp_json_null(struct exp_json *json);

/* A key and its value; `_if`: unless the text is NULL or empty. */
void exp_json_member_string(
    struct exp_json *json, const char *key, const char *text);
void exp_json_member_if(
    struct exp_json *json, const char *key, const char *text);
void exp_json_member_u64(
    struct exp_json *json, const char *key, uint64_t value);
void exp_json_member_i64(struct exp_json *json, const char *key, int64_t value);
void exp_json_member_bool(struct exp_json *json, const char *key, bool value);

/* Whether every level is closed. */
bool exp_json_is_complete(const struct exp_json *json);

#endif
