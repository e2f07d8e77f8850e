/* A streaming JSON writer. */
#include "exporters/json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "exporters/text.h"
#include "exporters/writer.h"

struct exp_json exp_json_init(
    struct exp_writer *writer, enum exp_json_style style)
{
    return (struct exp_json){.writer = writer, .style = style};
}

static bool is_in(const struct exp_json *json, char open)
{
    return json->depth > 0 && json->open[json->depth - 1] == open;
}

static void new_line(struct exp_json *json)
{
    exp_write_char(json->writer, '\n');
    exp_write_fill(json->writer, ' ', 2 * (size_t)json->depth);
}

/* The comma and the line break before a member of the open level. */
static void separate(struct exp_json *json, bool is_scalar)
{
    if (json->depth == 0)
        return;
    int level = json->depth - 1;
    if (json->is_started[level])
        exp_write_char(json->writer, ',');
    if (json->style == EXP_JSON_INDENTED) {
        if (!is_scalar || is_in(json, '{')) {
            new_line(json);
            json->is_broken[level] = true;
        } else if (json->is_started[level]) {
            exp_write_char(json->writer, ' ');
        }
    }
    json->is_started[level] = true;
}

/* What precedes any value, be it a member, an element or the document. */
static void before_value(struct exp_json *json, bool is_scalar)
{
    if (is_in(json, '{')) {
        if (!json->has_key)
            exp_writer_fail(json->writer, STATUS_LIMIT);
        json->has_key = false;
    } else {
        separate(json, is_scalar);
    }
}

static void begin(struct exp_json *json, char open)
{
    before_value(json, false);
    if (json->depth == EXP_JSON_DEPTH) {
        exp_writer_fail(json->writer, STATUS_LIMIT);
        return;
    }
    json->open[json->depth] = open;
    json->is_started[json->depth] = false;
    json->is_broken[json->depth] = false;
    json->depth++;
    exp_write_char(json->writer, open);
}

void exp_json_begin_object(struct exp_json *json)
{
    begin(json, '{');
}

void exp_json_begin_array(struct exp_json *json)
{
    begin(json, '[');
}

void exp_json_end(struct exp_json *json)
{
    if (json->depth == 0 || json->has_key) {
        exp_writer_fail(json->writer, STATUS_LIMIT);
        return;
    }
    json->depth--;
    if (json->is_broken[json->depth])
        new_line(json);
    exp_write_char(json->writer, json->open[json->depth] == '{' ? '}' : ']');
}

static void write_escape(struct exp_json *json, uint32_t code_point)
{
    switch (code_point) {
    case '"':
        exp_write_text(json->writer, "\\\"");
        break;
    case '\\':
        exp_write_text(json->writer, "\\\\");
        break;
    case '\n':
        exp_write_text(json->writer, "\\n");
        break;
    case '\t':
        exp_write_text(json->writer, "\\t");
        break;
    default:
        exp_write_format(json->writer, "\\u%04x", (unsigned)code_point);
    }
}

static bool must_escape(const struct exp_json *json, uint32_t code_point)
{
    if (code_point < 0x20 || code_point == '"' || code_point == '\\')
        return true;
    /* Line ends to JavaScript before 2019, and not characters to XML. */
    if (code_point == 0x2028 || code_point == 0x2029 || code_point == 0xfffe ||
        code_point == 0xffff || code_point == 0x7f)
        return true;
    return json->style == EXP_JSON_MARKUP &&
           (code_point == '<' || code_point == '>' || code_point == '&');
}

static void write_quoted(struct exp_json *json, const char *text)
{
    exp_write_char(json->writer, '"');
    for (uint32_t code_point; (code_point = exp_text_next(&text)) != 0;) {
        if (must_escape(json, code_point)) {
            write_escape(json, code_point);
        } else {
            char bytes[EXP_TEXT_UTF8_BYTES];
            exp_write(json->writer, bytes, exp_text_encode(code_point, bytes));
        }
    }
    exp_write_char(json->writer, '"');
}

void exp_json_key(struct exp_json *json, const char *key)
{
    if (!is_in(json, '{') || json->has_key) {
        exp_writer_fail(json->writer, STATUS_LIMIT);
        return;
    }
    separate(json, true);
    write_quoted(json, key);
    exp_write_text(json->writer, json->style == EXP_JSON_INDENTED ? ": " : ":");
    json->has_key = true;
}

void exp_json_string(struct exp_json *json, const char *text)
{
    before_value(json, true);
    write_quoted(json, text);
}

void exp_json_u64(struct exp_json *json, uint64_t value)
{
    before_value(json, true);
    exp_write_u64(json->writer, value);
}

void exp_json_i64(struct exp_json *json, int64_t value)
{
    before_value(json, true);
    exp_write_format(json->writer, "%" PRId64, value);
}

void exp_json_double(struct exp_json *json, double value)
{
    before_value(json, true);
    if (!isfinite(value)) {
        exp_write_text(json->writer, "null");
        return;
    }
    /* The shorter of the two that reads back as the same number. */
    char text[40];
    (void)snprintf(text, sizeof text, "%.15g", value);
    double again = 0;
    if (sscanf(text, "%lf", &again) != 1 || again != value)
        (void)snprintf(text, sizeof text, "%.17g", value);
    exp_write_text(json->writer, text);
}

void exp_json_fixed(struct exp_json *json, uint64_t value, unsigned digits)
{
    uint64_t unit = 1;
    for (unsigned i = 0; i < digits; i++)
        unit *= 10;
    before_value(json, true);
    exp_write_u64(json->writer, value / unit);
    exp_write_char(json->writer, '.');
    for (unit /= 10; unit > 0; unit /= 10)
        exp_write_char(json->writer, (char)('0' + value / unit % 10));
}

void exp_json_bool(struct exp_json *json, bool value)
{
    before_value(json, true);
    exp_write_text(json->writer, value ? "true" : "false");
}

void exp_json_null(struct exp_json *json)
{
    before_value(json, true);
    exp_write_text(json->writer, "null");
}

void exp_json_member_string(
    struct exp_json *json, const char *key, const char *text)
{
    exp_json_key(json, key);
    exp_json_string(json, text);
}

void exp_json_member_if(
    struct exp_json *json, const char *key, const char *text)
{
    if (text != NULL && text[0] != '\0')
        exp_json_member_string(json, key, text);
}

void exp_json_member_u64(struct exp_json *json, const char *key, uint64_t value)
{
    exp_json_key(json, key);
    exp_json_u64(json, value);
}

void exp_json_member_i64(struct exp_json *json, const char *key, int64_t value)
{
    exp_json_key(json, key);
    exp_json_i64(json, value);
}

void exp_json_member_bool(struct exp_json *json, const char *key, bool value)
{
    exp_json_key(json, key);
    exp_json_bool(json, value);
}

bool exp_json_is_complete(const struct exp_json *json)
{
    return json->depth == 0 && !json->has_key;
}
