/* An envelope taken apart again. */
#include "exporters/sentry/envelope_reader.h"

#include <jansson.h>
#include <string.h>

static enum status malformed(struct diag *diag, const char *what)
{
    return fail(diag, STATUS_MALFORMED, "not an envelope: %s", what);
}

struct line {
    const char *text;
    size_t bytes;
};

/* A line, or what there is until the end. */
static struct line take_line(struct exp_envelope_reader *reader)
{
    const char *start = reader->at;
    size_t rest = (size_t)(reader->end - start);
    const char *newline = memchr(start, '\n', rest);
    size_t bytes = newline != NULL ? (size_t)(newline - start) : rest;
    reader->at = newline != NULL ? newline + 1 : reader->end;
    return (struct line){start, bytes};
}

enum status exp_envelope_reader_init(
    struct exp_envelope_reader *reader, const void *bytes, size_t count,
    struct diag *diag)
{
    if (count > EXP_ENVELOPE_BYTES_MAX)
        return malformed(diag, "it is larger than a backend takes");
    struct exp_envelope_reader made = {
        .at = bytes, .end = (const char *)bytes + count};
    struct line line = take_line(&made);
    made.header = line.text;
    made.header_bytes = line.bytes;
    json_t *header = json_loadb(line.text, line.bytes, 0, NULL);
    bool is_object = json_is_object(header);
    json_decref(header);
    if (!is_object)
        return malformed(diag, "its first line is no JSON object");
    *reader = made;
    return STATUS_OK;
}

/* The header of an item: its type, and its length unless it has none. */
static enum status read_item_header(
    struct line line, size_t rest, struct exp_item *item, json_int_t *length,
    struct diag *diag)
{
    enum status status = STATUS_OK;
    json_t *header = json_loadb(line.text, line.bytes, 0, NULL);
    const json_t *type = json_object_get(header, "type");
    const json_t *bytes = json_object_get(header, "length");
    *length = bytes == NULL ? -1 : json_integer_value(bytes);
    if (!json_is_string(type))
        status = malformed(diag, "an item's header has no type");
    else if (
        bytes != NULL &&
        (!json_is_integer(bytes) || *length < 0 || (size_t)*length > rest))
        status = malformed(diag, "an item is shorter than its length");
    else
        item->type =
            exp_item_find(json_string_value(type), json_string_length(type));
    json_decref(header);
    return status;
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
    struct line line = take_line(reader);
    size_t rest = (size_t)(reader->end - reader->at);
    json_int_t length;
    made.payload = reader->at;
    enum status status = read_item_header(line, rest, &made, &length, diag);
    if (status != STATUS_OK)
        return status;
    if (length >= 0) {
        reader->at += length;
        if (reader->at < reader->end && *reader->at != '\n')
            return malformed(diag, "an item is longer than its length");
        made.payload_bytes = (size_t)length;
    } else {
        made.payload_bytes = take_line(reader).bytes;
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
    bool is_end, has_items = false;
    enum exp_rank highest = EXP_RANK_PROFILE;
    enum status status = exp_envelope_reader_init(&reader, bytes, count, diag);
    while (status == STATUS_OK) {
        status = exp_envelope_reader_next(&reader, &item, &is_end, diag);
        if (status != STATUS_OK || is_end)
            break;
        has_items = true;
        if (exp_item_rank(item.type) > highest)
            highest = exp_item_rank(item.type);
    }
    if (status == STATUS_OK && !has_items)
        status = malformed(diag, "there is no item in it");
    if (status == STATUS_OK)
        *rank = highest;
    return status;
}
