/* An envelope as it goes out. */
#include "exporters/sentry/request.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "exporters/sentry/envelope_reader.h"
#include "exporters/sentry/time_text.h"
#include "exporters/writer.h"

/* A client report has 4 KiB; an entry is below 96 bytes. */
enum { REPORT_ENTRIES = 40 };

struct making {
    struct exp_request *request;
    const struct exp_rate_limits *limits;
    uint64_t now_ms;
    bool is_parent_held; /* the event or transaction that others belong to */
    bool has_items;
    struct exp_writer *writer;
};

static bool is_held(const struct making *making, const struct exp_item *item)
{
    if (making->is_parent_held &&
        (item->type == EXP_ITEM_ATTACHMENT || item->type == EXP_ITEM_PROFILE))
        return true;
    return exp_rate_limits_hold(
        making->limits, exp_item_category(item->type), making->now_ms);
}

typedef void visitor(struct making *making, const struct exp_item *item);

static enum status visit_items(
    struct making *making, struct exp_envelope_reader reader, visitor *visit)
{
    struct exp_item item;
    bool is_end = false;
    for (;;) {
        enum status status =
            exp_envelope_reader_next(&reader, &item, &is_end, NULL);
        if (status != STATUS_OK || is_end)
            return status;
        visit(making, &item);
    }
}

/* A request has its event wherever it stands, so this is looked for first. */
static void find_parent(struct making *making, const struct exp_item *item)
{
    if ((item->type == EXP_ITEM_EVENT || item->type == EXP_ITEM_TRANSACTION) &&
        is_held(making, item))
        making->is_parent_held = true;
}

/* Its own header, but for what only the sender may say. */
static bool write_header(
    struct making *making, const struct exp_envelope_reader *reader)
{
    char now[EXP_TIME_BYTES];
    json_t *header = json_loadb(reader->header, reader->header_bytes, 0, NULL);
    (void)json_object_del(header, "dsn");
    bool is_dated = json_object_set_new(
                        header, "sent_at",
                        json_string(exp_time_text(making->now_ms, now))) == 0;
    char *text = json_dumps(header, JSON_COMPACT);
    json_decref(header);
    if (text != NULL)
        exp_write_text(making->writer, text);
    exp_write_char(making->writer, '\n');
    free(text);
    return is_dated && text != NULL;
}

static void write_item(struct making *making, const struct exp_item *item)
{
    if (is_held(making, item)) {
        exp_discards_add_item(
            &making->request->held, EXP_DISCARD_RATELIMIT_BACKOFF, item);
        return;
    }
    making->has_items = true;
    exp_write(making->writer, item->bytes, item->byte_count);
    exp_write_char(making->writer, '\n');
}

static void write_report(
    struct making *making, const struct exp_discards *discards)
{
    struct exp_writer *payload = exp_writer_create_memory();
    struct exp_discards told;
    size_t count = 0;
    if (payload == NULL)
        return; /* it goes with a later one */
    exp_discards_first(discards, REPORT_ENTRIES, &told);
    exp_discards_write_report(&told, (double)making->now_ms / 1000, payload);
    const char *bytes = exp_writer_bytes(payload, &count);
    if (bytes != NULL) {
        exp_write_format(
            making->writer, "{\"type\":\"client_report\",\"length\":%zu}\n",
            count);
        exp_write(making->writer, bytes, count);
        exp_write_char(making->writer, '\n');
        making->request->report = told;
    }
    exp_writer_destroy(payload);
}

enum status exp_request_make(
    struct exp_request *request, const struct exp_block *envelope,
    const struct exp_rate_limits *limits, const struct exp_discards *discards,
    uint64_t now_ms)
{
    struct exp_envelope_reader reader;
    struct making making = {
        .request = request, .limits = limits, .now_ms = now_ms};
    *request = (struct exp_request){.packed = {0}};
    enum status status = exp_envelope_reader_init(
        &reader, envelope->bytes, envelope->count, NULL);
    if (status == STATUS_OK)
        status = visit_items(&making, reader, find_parent);
    if (status != STATUS_OK)
        return status;
    making.writer = exp_writer_create_memory();
    if (making.writer == NULL)
        return STATUS_NO_MEMORY;
    status = write_header(&making, &reader)
                 ? visit_items(&making, reader, write_item)
                 : STATUS_NO_MEMORY;
    if (status == STATUS_OK && making.has_items) {
        if (discards != NULL && !exp_discards_is_empty(discards))
            write_report(&making, discards);
        size_t count = 0;
        const char *bytes = exp_writer_bytes(making.writer, &count);
        status = bytes != NULL ? exp_gzip_pack(bytes, count, &request->packed)
                               : STATUS_NO_MEMORY;
    }
    exp_writer_destroy(making.writer);
    return status;
}

void exp_request_fini(struct exp_request *request)
{
    free(request->packed.bytes);
}
