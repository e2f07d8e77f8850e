/* What was not delivered, by reason and category. */
#include "exporters/sentry/discards.h"

#include <jansson.h>

#include "exporters/json.h"
#include "exporters/sentry/envelope_reader.h"
#include "exporters/text.h"
#include "exporters/writer.h"

enum { CELLS = EXP_DISCARD_COUNT * EXP_CATEGORY_COUNT };

static const char *const names[] = {
#define DISCARD_ROW(name, text) [EXP_DISCARD_##name] = text,
    EXP_DISCARD_LIST(DISCARD_ROW)
#undef DISCARD_ROW
};

const char *exp_discard_name(enum exp_discard reason)
{
    return names[reason];
}

bool exp_discards_is_empty(const struct exp_discards *discards)
{
    for (int cell = 0; cell < CELLS; cell++) {
        if (discards->counts[cell / EXP_CATEGORY_COUNT]
                            [cell % EXP_CATEGORY_COUNT] != 0)
            return false;
    }
    return true;
}

void exp_discards_add(
    struct exp_discards *discards, const struct exp_discards *more)
{
    for (int reason = 0; reason < EXP_DISCARD_COUNT; reason++) {
        for (int category = 0; category < EXP_CATEGORY_COUNT; category++) {
            uint64_t *count = &discards->counts[reason][category];
            *count = exp_text_add(*count, more->counts[reason][category]);
        }
    }
}

void exp_discards_subtract(
    struct exp_discards *discards, const struct exp_discards *told)
{
    for (int reason = 0; reason < EXP_DISCARD_COUNT; reason++) {
        for (int category = 0; category < EXP_CATEGORY_COUNT; category++) {
            uint64_t *count = &discards->counts[reason][category];
            uint64_t less = told->counts[reason][category];
            *count = *count > less ? *count - less : 0;
        }
    }
}

void exp_discards_first(
    const struct exp_discards *discards, unsigned count,
    struct exp_discards *first)
{
    *first = (struct exp_discards){0};
    for (int cell = 0; cell < CELLS && count > 0; cell++) {
        int reason = cell / EXP_CATEGORY_COUNT;
        int category = cell % EXP_CATEGORY_COUNT;
        first->counts[reason][category] = discards->counts[reason][category];
        count -= discards->counts[reason][category] != 0;
    }
}

/* As backends count them: a transaction is a span as well. */
static uint64_t count_spans(const struct exp_item *transaction)
{
    json_t *payload =
        json_loadb(transaction->payload, transaction->payload_bytes, 0, NULL);
    size_t count = json_array_size(json_object_get(payload, "spans"));
    json_decref(payload);
    return 1 + count;
}

void exp_discards_add_item(
    struct exp_discards *discards, enum exp_discard reason,
    const struct exp_item *item)
{
    if (item->type == EXP_ITEM_CLIENT_REPORT)
        return; /* what it tells is still counted where it was */
    uint64_t *counts = discards->counts[reason];
    if (item->type == EXP_ITEM_TRANSACTION)
        counts[EXP_CATEGORY_SPAN] += count_spans(item);
    counts[exp_item_category(item->type)] +=
        item->type == EXP_ITEM_ATTACHMENT ? item->payload_bytes : 1;
}

enum status exp_discards_add_envelope(
    struct exp_discards *discards, enum exp_discard reason, const void *bytes,
    size_t count)
{
    struct exp_envelope_reader reader;
    struct exp_discards more = {0};
    struct exp_item item;
    bool is_end = false;
    enum status status = exp_envelope_reader_init(&reader, bytes, count, NULL);
    while (status == STATUS_OK) {
        status = exp_envelope_reader_next(&reader, &item, &is_end, NULL);
        if (status != STATUS_OK || is_end)
            break;
        exp_discards_add_item(&more, reason, &item);
    }
    if (status == STATUS_OK)
        exp_discards_add(discards, &more);
    return status;
}

void exp_discards_write_report(
    const struct exp_discards *discards, double timestamp_s,
    struct exp_writer *writer)
{
    struct exp_json json = exp_json_init(writer, EXP_JSON_COMPACT);
    exp_json_begin_object(&json);
    exp_json_key(&json, "timestamp");
    exp_json_double(&json, timestamp_s);
    exp_json_key(&json, "discarded_events");
    exp_json_begin_array(&json);
    for (int cell = 0; cell < CELLS; cell++) {
        int reason = cell / EXP_CATEGORY_COUNT;
        int category = cell % EXP_CATEGORY_COUNT;
        uint64_t count = discards->counts[reason][category];
        if (count == 0)
            continue;
        exp_json_begin_object(&json);
        exp_json_key(&json, "reason");
        exp_json_string(&json, names[reason]);
        exp_json_key(&json, "category");
        exp_json_string(&json, exp_category_name((enum exp_category)category));
        exp_json_key(&json, "quantity");
        exp_json_u64(&json, count);
        exp_json_end(&json);
    }
    exp_json_end(&json);
    exp_json_end(&json);
}
