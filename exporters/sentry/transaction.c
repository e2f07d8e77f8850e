/* A transaction with its spans. */
#include "exporters/sentry/transaction.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "exporters/json.h"
#include "exporters/sentry/envelope.h"
#include "exporters/sentry/id.h"
#include "exporters/sentry/time_text.h"
#include "exporters/writer.h"

enum { BAGGAGE_MEMBERS = 16, BAGGAGE_TEXT_BYTES = 128 };

const char *exp_trace_status(uint32_t status)
{
    /* The order of enum wf_status. */
    static const char *const names[] = {
        "ok",
        "cancelled",
        "unknown",
        "invalid_argument",
        "deadline_exceeded",
        "not_found",
        "already_exists",
        "permission_denied",
        "resource_exhausted",
        "failed_precondition",
        "aborted",
        "out_of_range",
        "unimplemented",
        "internal_error",
        "unavailable",
        "data_loss",
        "unauthenticated"};
    return status < sizeof names / sizeof names[0] ? names[status] : "unknown";
}

/* With microseconds, which is what profiles have. */
static void write_time(
    struct exp_json *json, const char *key,
    const struct exp_trace_setting *setting, uint64_t time_ns)
{
    char text[EXP_TIME_BYTES + 4];
    uint64_t unix_us = (time_ns + setting->unix_offset_ns) / 1000;
    (void)exp_time_text(unix_us / 1000, text);
    char *zone = strchr(text, 'Z');
    (void)snprintf(zone, 5, "%03uZ", (unsigned)(unix_us % 1000));
    exp_json_member_if(json, key, text);
}

static void write_span_id(struct exp_json *json, const char *key, uint64_t id)
{
    char text[EXP_SPAN_ID_BYTES];
    (void)snprintf(text, sizeof text, "%016" PRIx64, id);
    exp_json_member_if(json, key, text);
}

static const char *trace_id(
    const struct exp_transaction *transaction, char text[static EXP_ID_BYTES])
{
    (void)snprintf(
        text, EXP_ID_BYTES, "%016" PRIx64 "%016" PRIx64, transaction->trace[0],
        transaction->trace[1]);
    return text;
}

/* What is said of a transaction as a span, and of every span. */
static void write_part(
    struct exp_json *json, const struct exp_transaction *transaction,
    const struct exp_trace_part *part)
{
    char text[EXP_ID_BYTES];
    exp_json_member_if(json, "trace_id", trace_id(transaction, text));
    write_span_id(json, "span_id", part->id);
    if (part->parent != 0)
        write_span_id(json, "parent_span_id", part->parent);
    exp_json_member_if(json, "op", part->op);
    exp_json_member_if(json, "status", exp_trace_status(part->status));
    exp_json_member_if(json, "origin", "manual");
    exp_json_key(json, "data");
    exp_json_begin_object(json);
    (void)snprintf(text, sizeof text, "%" PRIu32, part->tid);
    exp_json_member_if(json, "thread.id", text);
    exp_json_end(json);
}

static void write_spans(
    struct exp_json *json, const struct exp_transaction *transaction,
    const struct exp_trace_setting *setting)
{
    exp_json_key(json, "spans");
    exp_json_begin_array(json);
    for (uint32_t i = 0; i < transaction->spans.count; i++) {
        const struct exp_trace_part *part = table_row(&transaction->spans, i);
        exp_json_begin_object(json);
        write_part(json, transaction, part);
        exp_json_member_if(json, "description", part->name);
        write_time(json, "start_timestamp", setting, part->start_ns);
        write_time(json, "timestamp", setting, part->end_ns);
        exp_json_end(json);
    }
    exp_json_end(json);
}

static bool has_tag(const struct table *tags, const char *key)
{
    for (uint32_t i = 0; i < tags->count; i++) {
        const struct exp_tag *tag = table_row(tags, i);
        if (strcmp(tag->key, key) == 0)
            return true;
    }
    return false;
}

/* Its own, and those of the program that it does not say otherwise. */
static void write_tags(
    struct exp_json *json, const struct table *tags,
    const struct exp_scope *scope)
{
    exp_json_key(json, "tags");
    exp_json_begin_object(json);
    for (uint32_t i = 0; i < tags->count; i++) {
        const struct exp_tag *tag = table_row(tags, i);
        exp_json_key(json, tag->key);
        exp_json_string(json, tag->value);
    }
    for (size_t i = 0; i < scope->tag_count; i++) {
        if (has_tag(tags, scope->tags[i].key))
            continue;
        exp_json_key(json, scope->tags[i].key);
        exp_json_string(json, scope->tags[i].value);
    }
    exp_json_end(json);
}

static void write_measures(
    struct exp_json *json, const struct exp_transaction *transaction)
{
    if (transaction->measure_count == 0)
        return;
    exp_json_key(json, "measurements");
    exp_json_begin_object(json);
    for (uint32_t i = 0; i < transaction->measure_count; i++) {
        const struct exp_measure *measure = &transaction->measures[i];
        exp_json_key(json, measure->name);
        exp_json_begin_object(json);
        exp_json_key(json, "value");
        exp_json_double(json, measure->value);
        exp_json_member_string(json, "unit", measure->unit);
        exp_json_end(json);
    }
    exp_json_end(json);
}

static void write_contexts(
    struct exp_json *json, const struct exp_transaction *transaction,
    const struct exp_trace_setting *setting)
{
    exp_json_key(json, "contexts");
    exp_json_begin_object(json);
    exp_json_key(json, "trace");
    exp_json_begin_object(json);
    write_part(json, transaction, &transaction->part);
    exp_json_end(json);
    if (setting->profiler_id != NULL && setting->profiler_id[0] != '\0') {
        exp_json_key(json, "profile");
        exp_json_begin_object(json);
        exp_json_member_if(json, "profiler_id", setting->profiler_id);
        exp_json_end(json);
    }
    exp_json_end(json);
}

static void write_payload(
    struct exp_json *json, const struct exp_transaction *transaction,
    const struct exp_trace_setting *setting, const char *event_id)
{
    const struct exp_trace_part *part = &transaction->part;
    exp_json_begin_object(json);
    exp_json_member_if(json, "type", "transaction");
    exp_json_member_if(json, "event_id", event_id);
    exp_json_member_if(
        json, "transaction", part->name[0] ? part->name : "<unnamed>");
    exp_json_key(json, "transaction_info");
    exp_json_begin_object(json);
    exp_json_member_if(json, "source", "custom");
    exp_json_end(json);
    exp_json_member_if(json, "platform", "native");
    exp_json_member_if(json, "release", setting->release);
    exp_json_member_if(
        json, "environment",
        exp_scope_environment(setting->scope->environment));
    exp_json_member_if(json, "dist", setting->scope->dist);
    exp_json_member_if(json, "server_name", setting->scope->server_name);
    write_time(json, "start_timestamp", setting, part->start_ns);
    write_time(json, "timestamp", setting, part->end_ns);
    write_contexts(json, transaction, setting);
    write_tags(json, &transaction->tags, setting->scope);
    write_measures(json, transaction);
    write_spans(json, transaction, setting);
    exp_json_end(json);
}

static int hex_digit(char byte)
{
    const char *digits = "0123456789abcdef";
    const char *found =
        byte != '\0'
            ? strchr(
                  digits, byte >= 'A' && byte <= 'F' ? byte - 'A' + 'a' : byte)
            : NULL;
    return found != NULL ? (int)(found - digits) : -1;
}

/* A part of a baggage, which is written as parts of URLs are. */
static void decode(char *to, const char *text, size_t bytes)
{
    size_t used = 0;
    for (size_t i = 0; i < bytes && used < BAGGAGE_TEXT_BYTES - 1; i++) {
        bool is_escape = text[i] == '%' && bytes - i > 2 &&
                         hex_digit(text[i + 1]) >= 0 &&
                         hex_digit(text[i + 2]) >= 0;
        to[used++] =
            is_escape
                ? (char)(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]))
                : text[i];
        i += is_escape ? 2 : 0;
    }
    to[used] = '\0';
}

struct member {
    char key[BAGGAGE_TEXT_BYTES], value[BAGGAGE_TEXT_BYTES];
};

/* "sentry-KEY=VALUE,..."; how many there were. */
static size_t read_baggage(
    const char *text, struct member members[static BAGGAGE_MEMBERS])
{
    size_t count = 0;
    while (*text != '\0' && count < BAGGAGE_MEMBERS) {
        size_t length = strcspn(text, ",");
        size_t name = strcspn(text, "=");
        if (strncmp(text, "sentry-", 7) == 0 && name > 7 && name < length) {
            decode(members[count].key, text + 7, name - 7);
            decode(members[count].value, text + name + 1, length - name - 1);
            count++;
        }
        text += length + (text[length] == ',');
    }
    return count;
}

/* What a backend samples by, as it was settled where the trace began. */
static void set_trace(
    struct exp_envelope *envelope, const struct exp_transaction *transaction,
    const struct exp_trace_setting *setting)
{
    struct member members[BAGGAGE_MEMBERS];
    struct exp_header headers[BAGGAGE_MEMBERS];
    char id[EXP_ID_BYTES];
    size_t count = read_baggage(transaction->baggage, members);
    bool is_whole = false;
    for (size_t i = 0; i < count; i++) {
        headers[i] = (struct exp_header){members[i].key, members[i].value};
        is_whole |= strcmp(members[i].key, "trace_id") == 0;
    }
    if (!is_whole) {
        headers[0] = (struct exp_header){"trace_id", trace_id(transaction, id)};
        headers[1] = (struct exp_header){"public_key", setting->public_key};
        headers[2] = (struct exp_header){"release", setting->release};
        headers[3] = (struct exp_header){
            "environment", exp_scope_environment(setting->scope->environment)};
        headers[4] = (struct exp_header){"sampled", "true"};
        count = 5;
        /* As a transaction that goes on from elsewhere is known there by
           another name, ours is the name of the trace only if we began it. */
        if (transaction->part.parent == 0 && transaction->part.name[0] != '\0')
            headers[count++] =
                (struct exp_header){"transaction", transaction->part.name};
    }
    exp_envelope_set_trace(envelope, headers, count);
}

struct exp_envelope *exp_transaction_envelope(
    const struct exp_transaction *transaction,
    const struct exp_trace_setting *setting)
{
    char event_id[EXP_ID_BYTES];
    size_t bytes = 0;
    struct exp_envelope *envelope = exp_envelope_create(exp_id_make(event_id));
    struct exp_writer *writer = exp_writer_create_memory();
    const char *payload = NULL;
    if (envelope != NULL && writer != NULL) {
        struct exp_json json = exp_json_init(writer, EXP_JSON_COMPACT);
        write_payload(&json, transaction, setting, event_id);
        payload = exp_writer_bytes(writer, &bytes);
    }
    if (payload != NULL) {
        set_trace(envelope, transaction, setting);
        exp_envelope_add(
            envelope, EXP_ITEM_TRANSACTION, NULL, 0, payload, bytes);
    } else {
        exp_envelope_destroy(envelope);
        envelope = NULL;
    }
    exp_writer_destroy(writer);
    return envelope;
}
