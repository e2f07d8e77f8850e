/* An envelope, written. */
#include "exporters/sentry/envelope.h"

#include <stdio.h>
#include <stdlib.h>

#include "exporters/json.h"
#include "exporters/sentry/client.h"
#include "exporters/sentry/id.h"
#include "exporters/writer.h"

struct exp_envelope {
    char event_id[EXP_ID_BYTES]; /* "": none */
    struct exp_writer *trace;    /* the members' JSON object; NULL: none */
    struct exp_writer *items;
    struct exp_writer *whole;
};

struct exp_envelope *exp_envelope_create(const char *event_id)
{
    struct exp_envelope *envelope = calloc(1, sizeof *envelope);
    if (envelope == NULL)
        return NULL;
    if (event_id != NULL)
        (void)snprintf(
            envelope->event_id, sizeof envelope->event_id, "%s", event_id);
    envelope->items = exp_writer_create_memory();
    if (envelope->items == NULL) {
        exp_envelope_destroy(envelope);
        return NULL;
    }
    return envelope;
}

void exp_envelope_destroy(struct exp_envelope *envelope)
{
    if (envelope == NULL)
        return;
    exp_writer_destroy(envelope->whole);
    exp_writer_destroy(envelope->items);
    exp_writer_destroy(envelope->trace);
    free(envelope);
}

static void write_members(
    struct exp_json *json, const struct exp_header *members, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        exp_json_key(json, members[i].key);
        exp_json_string(json, members[i].value);
    }
}

void exp_envelope_set_trace(
    struct exp_envelope *envelope, const struct exp_header *members,
    size_t count)
{
    exp_writer_destroy(envelope->trace);
    envelope->trace = exp_writer_create_memory();
    if (envelope->trace == NULL) {
        exp_writer_fail(envelope->items, STATUS_NO_MEMORY);
        return;
    }
    struct exp_json json = exp_json_init(envelope->trace, EXP_JSON_COMPACT);
    exp_json_begin_object(&json);
    write_members(&json, members, count);
    exp_json_end(&json);
}

void exp_envelope_add(
    struct exp_envelope *envelope, enum exp_item_type type,
    const struct exp_header *headers, size_t header_count, const void *payload,
    size_t bytes)
{
    struct exp_json json = exp_json_init(envelope->items, EXP_JSON_COMPACT);
    exp_json_begin_object(&json);
    exp_json_key(&json, "type");
    exp_json_string(&json, exp_item_name(type));
    write_members(&json, headers, header_count);
    exp_json_key(&json, "length");
    exp_json_u64(&json, bytes);
    exp_json_end(&json);
    exp_write_char(envelope->items, '\n');
    exp_write(envelope->items, payload, bytes);
    exp_write_char(envelope->items, '\n');
}

static void write_header(struct exp_envelope *envelope, const char *trace)
{
    struct exp_json json = exp_json_init(envelope->whole, EXP_JSON_COMPACT);
    exp_json_begin_object(&json);
    if (envelope->event_id[0] != '\0') {
        exp_json_key(&json, "event_id");
        exp_json_string(&json, envelope->event_id);
    }
    exp_json_key(&json, "sdk");
    exp_json_begin_object(&json);
    exp_json_key(&json, "name");
    exp_json_string(&json, EXP_CLIENT_NAME);
    exp_json_key(&json, "version");
    exp_json_string(&json, EXP_CLIENT_VERSION);
    exp_json_end(&json);
    if (trace != NULL) {
        /* Already JSON, which the JSON writer cannot take. */
        exp_write_text(envelope->whole, ",\"trace\":");
        exp_write_text(envelope->whole, trace);
    }
    exp_json_end(&json);
    exp_write_char(envelope->whole, '\n');
}

const char *exp_envelope_bytes(struct exp_envelope *envelope, size_t *bytes)
{
    size_t item_bytes = 0, trace_bytes = 0;
    const char *trace = NULL;
    const char *items = exp_writer_bytes(envelope->items, &item_bytes);
    if (envelope->trace != NULL) {
        trace = exp_writer_bytes(envelope->trace, &trace_bytes);
        if (trace == NULL)
            return NULL;
    }
    exp_writer_destroy(envelope->whole);
    envelope->whole = exp_writer_create_memory();
    if (items == NULL || envelope->whole == NULL)
        return NULL;
    write_header(envelope, trace);
    exp_write(envelope->whole, items, item_bytes);
    return exp_writer_bytes(envelope->whole, bytes);
}
