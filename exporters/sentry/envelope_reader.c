/* An envelope taken apart again. */
#include "exporters/sentry/envelope_reader.h"

#include <string.h>

#include "exporters/sentry/json_scan.h"

static enum status malformed(struct diag *diag, const char *what)
{
    return fail(diag, STATUS_MALFORMED, "not an envelope: %s", what);
}

/* A line, or what there is until the end. */
static struct exp_json_text take_line(struct exp_envelope_reader *reader)
{
    const char *newline =
        memchr(reader->at, '\n', (size_t)(reader->end - reader->at));
    struct exp_json_text line = {
        reader->at, newline != NULL ? newline : reader->end};
    reader->at = newline != NULL ? newline + 1 : reader->end;
    return line;
}

enum status exp_envelope_reader_init(
    struct exp_envelope_reader *reader, const void *bytes, size_t count,
    struct diag *diag)
{
    struct exp_json_scan scan;
    if (count > EXP_ENVELOPE_BYTES_MAX)
        return malformed(diag, "it is larger than a backend takes");
    struct exp_envelope_reader made = {
        .at = bytes, .end = (const char *)bytes + count};
    struct exp_json_text line = take_line(&made);
    made.header = line.at;
    made.header_bytes = (size_t)(line.end - line.at);
    if (!exp_json_scan_begin(&scan, made.header, made.header_bytes))
        return malformed(diag, "its first line is no JSON object");
    *reader = made;
    return STATUS_OK;
}

enum status exp_envelope_reader_next(
    struct exp_envelope_reader *reader, struct exp_item *item, bool *is_end,
    struct diag *diag)
{
    /* Empty lines between items are tolerated by backends, too. */
    while (reader->at < reader->end && *reader->at == '\n')
        reader->at++;
    *is_end = reader->at == reader->end;
    if (*is_end)
        return STATUS_OK;
    struct exp_item made = {.bytes = reader->at};
    struct exp_json_text line = take_line(reader), value;
    size_t line_bytes = (size_t)(line.end - line.at);
    if (!exp_json_find(line.at, line_bytes, "type", &value) ||
        !exp_json_text_string(&value))
        return malformed(diag, "an item's header has no type");
    made.type = exp_item_find(value.at, (size_t)(value.end - value.at));
    made.payload = reader->at;
    size_t rest = (size_t)(reader->end - reader->at);
    if (exp_json_find(line.at, line_bytes, "length", &value)) {
        uint64_t length;
        if (!exp_json_text_u64(value, rest, &length))
            return malformed(diag, "an item is shorter than its length");
        reader->at += length;
        if (reader->at < reader->end && *reader->at != '\n')
            return malformed(diag, "an item is longer than its length");
        made.payload_bytes = (size_t)length;
    } else {
        line = take_line(reader);
        made.payload_bytes = (size_t)(line.end - line.at);
    }
    made.byte_count = (size_t)(made.payload + made.payload_bytes - made.bytes);
    *item = made;
    return STATUS_OK;
}

enum status exp_envelope_check(
    const void *bytes, size_t count, enum exp_rank *rank, struct diag *diag)
{
    struct exp_envelope_reader reader;
    struct exp_item item;
    bool is_end;
    enum exp_rank highest = EXP_RANK_PROFILE;
    enum status status = exp_envelope_reader_init(&reader, bytes, count, diag);
    while (status == STATUS_OK) {
        status = exp_envelope_reader_next(&reader, &item, &is_end, diag);
        if (status != STATUS_OK || is_end)
            break;
        if (exp_item_rank(item.type) > highest)
            highest = exp_item_rank(item.type);
    }
    if (status == STATUS_OK)
        *rank = highest;
    return status;
}
