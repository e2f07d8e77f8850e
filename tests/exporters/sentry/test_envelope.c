/* An envelope, written and read. */
#include "tests/harness.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "exporters/sentry/discards.h"
#include "exporters/sentry/envelope.h"
#include "exporters/sentry/envelope_reader.h"
#include "exporters/sentry/id.h"

static const char id[] = "0123456789abcdef0123456789abcdef";

static const char *member(json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

static json_t *first_line(const char *bytes)
{
    json_t *header =
        json_loadb(bytes, (size_t)(strchr(bytes, '\n') - bytes), 0, NULL);
    CHECK(header != NULL);
    return header;
}

TEST(envelope_header_has_the_id_and_no_time_of_sending)
{
    size_t count = 0;
    struct exp_envelope *envelope = exp_envelope_create(id);
    json_t *header = first_line(exp_envelope_bytes(envelope, &count));
    CHECK_STR(member(header, "event_id"), id);
    CHECK_STR(member(json_object_get(header, "sdk"), "name"), "watchfire");
    CHECK(json_object_get(header, "sent_at") == NULL);
    json_decref(header);
    exp_envelope_destroy(envelope);
}

TEST(envelope_trace_is_an_object_of_its_header)
{
    const struct exp_header trace[] = {{"trace_id", id}, {"release", "a\"b"}};
    size_t count = 0;
    struct exp_envelope *envelope = exp_envelope_create(NULL);
    exp_envelope_set_trace(envelope, trace, 2);
    json_t *header = first_line(exp_envelope_bytes(envelope, &count));
    json_t *found = json_object_get(header, "trace");
    CHECK_STR(member(found, "trace_id"), id);
    CHECK_STR(member(found, "release"), "a\"b");
    CHECK(json_object_get(header, "event_id") == NULL);
    json_decref(header);
    exp_envelope_destroy(envelope);
}

TEST(envelope_items_come_back_as_they_were_put_in)
{
    const char payload[] = "with\na newline\0and a NUL";
    const struct exp_header platform[] = {{"platform", "native"}};
    size_t count = 0;
    bool is_end;
    struct exp_item item;
    struct exp_envelope_reader reader;
    struct exp_envelope *envelope = exp_envelope_create(NULL);
    exp_envelope_add(
        envelope, EXP_ITEM_PROFILE_CHUNK, platform, 1, payload, sizeof payload);
    exp_envelope_add(envelope, EXP_ITEM_SESSION, NULL, 0, "", 0);
    const char *bytes = exp_envelope_bytes(envelope, &count);
    CHECK_OK(exp_envelope_reader_init(&reader, bytes, count, NULL));
    CHECK_OK(exp_envelope_reader_next(&reader, &item, &is_end, NULL));
    CHECK(!is_end);
    CHECK_EQ(item.type, EXP_ITEM_PROFILE_CHUNK);
    CHECK_EQ(item.payload_bytes, sizeof payload);
    CHECK(memcmp(item.payload, payload, sizeof payload) == 0);
    json_t *header = first_line(item.bytes);
    CHECK_STR(member(header, "platform"), "native");
    CHECK_EQ(
        json_integer_value(json_object_get(header, "length")), sizeof payload);
    json_decref(header);
    CHECK_OK(exp_envelope_reader_next(&reader, &item, &is_end, NULL));
    CHECK(!is_end);
    CHECK_EQ(item.type, EXP_ITEM_SESSION);
    CHECK_EQ(item.payload_bytes, 0);
    CHECK_OK(exp_envelope_reader_next(&reader, &item, &is_end, NULL));
    CHECK(is_end);
    exp_envelope_destroy(envelope);
}

static enum status check(const char *text, enum exp_rank *rank)
{
    return exp_envelope_check(text, strlen(text), rank, NULL);
}

TEST(envelope_that_breaks_the_framing_is_malformed)
{
    enum exp_rank rank;
    CHECK_EQ(check("", &rank), STATUS_MALFORMED);
    CHECK_EQ(check("[]\n", &rank), STATUS_MALFORMED);
    CHECK_EQ(check("{}\n", &rank), STATUS_MALFORMED); /* nothing to send */
    CHECK_EQ(check("{\"a\":01}\n", &rank), STATUS_MALFORMED);
    CHECK_EQ(check("{}\n{\"length\":0}\n", &rank), STATUS_MALFORMED);
    CHECK_EQ(
        check("{}\n{\"type\":\"event\",\"length\":3}\n{}", &rank),
        STATUS_MALFORMED);
    CHECK_EQ(
        check("{}\n{\"type\":\"event\",\"length\":1}\n{}", &rank),
        STATUS_MALFORMED);
    CHECK_EQ(
        check("{}\n{\"type\":\"event\",\"length\":-1}\n{}", &rank),
        STATUS_MALFORMED);
}

TEST(envelope_of_others_may_leave_lengths_and_newlines_out)
{
    enum exp_rank rank = EXP_RANK_PROFILE;
    CHECK_OK(check("{}\n{\"type\":\"event\"}\n{}", &rank));
    CHECK_EQ(rank, EXP_RANK_EVENT);
    CHECK_OK(check("{}\n{\"type\":\"profile_chunk\"}\n{}\n\n", &rank));
    CHECK_EQ(rank, EXP_RANK_PROFILE);
    CHECK_OK(check("{}\n{\"type\":\"later\",\"length\":2}\n{}\n", &rank));
    CHECK_EQ(rank, EXP_RANK_TRANSACTION);
}

TEST(envelope_rank_is_that_of_its_highest_item)
{
    enum exp_rank rank;
    CHECK_OK(check(
        "{}\n{\"type\":\"attachment\"}\n{}\n{\"type\":\"session\"}\n{}",
        &rank));
    CHECK_EQ(rank, EXP_RANK_SESSION);
}

TEST(losses_count_an_item_as_backends_do)
{
    const char text[] =
        "{}\n{\"type\":\"transaction\"}\n{\"spans\":[{\"a\":[1,2]},{}]}\n"
        "{\"type\":\"attachment\"}\n12345\n{\"type\":\"client_report\"}\n{}\n";
    struct exp_discards discards = {0};
    CHECK_OK(exp_discards_add_envelope(
        &discards, EXP_DISCARD_SEND_ERROR, text, sizeof text - 1));
    const uint64_t *counts = discards.counts[EXP_DISCARD_SEND_ERROR];
    CHECK_EQ(counts[EXP_CATEGORY_TRANSACTION], 1);
    CHECK_EQ(counts[EXP_CATEGORY_SPAN], 3);
    CHECK_EQ(counts[EXP_CATEGORY_ATTACHMENT], 5);
    CHECK_EQ(counts[EXP_CATEGORY_INTERNAL], 0);
}

TEST(id_is_a_random_uuid_without_dashes)
{
    char one[EXP_ID_BYTES], other[EXP_ID_BYTES], span[EXP_SPAN_ID_BYTES];
    CHECK(exp_id_is_valid(exp_id_make(one), 32));
    CHECK(exp_id_is_valid(exp_id_make(other), 32));
    CHECK(strcmp(one, other) != 0);
    CHECK_EQ(one[12], '4');
    CHECK(exp_id_is_valid(exp_id_make_span(span), 16));
    CHECK(!exp_id_is_valid("00000000000000000000000000000000", 32));
    CHECK(!exp_id_is_valid("0123456789ABCDEF0123456789abcdef", 32));
    CHECK(!exp_id_is_valid("0123", 32));
}
