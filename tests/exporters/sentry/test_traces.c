/* Transactions put together from what a program says of them. */
#include "tests/harness.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "exporters/sentry/envelope.h"
#include "exporters/sentry/envelope_reader.h"
#include "exporters/sentry/traces.h"

struct scene {
    struct exp_traces *traces;
    uint32_t count;           /* transactions that are over */
    json_t *header, *payload; /* of the last one */
};

static void done(void *owner, const struct exp_transaction *transaction)
{
    static const struct exp_scope scope = {
        .tags = {{"zone", "program's"}, {"host", "a"}}, .tag_count = 2};
    const struct exp_trace_setting setting = {
        .scope = &scope,
        .release = "app@1",
        .public_key = "key",
        .profiler_id = "0123456789abcdef0123456789abcdef"};
    struct scene *scene = owner;
    struct exp_envelope_reader reader;
    struct exp_item item;
    bool is_end;
    size_t bytes = 0;
    struct exp_envelope *envelope =
        exp_transaction_envelope(transaction, &setting);
    CHECK(envelope != NULL);
    const char *text = exp_envelope_bytes(envelope, &bytes);
    CHECK_OK(exp_envelope_reader_init(&reader, text, bytes, NULL));
    CHECK_OK(exp_envelope_reader_next(&reader, &item, &is_end, NULL));
    CHECK_EQ(item.type, EXP_ITEM_TRANSACTION);
    json_decref(scene->header);
    json_decref(scene->payload);
    scene->header = json_loadb(reader.header, reader.header_bytes, 0, NULL);
    scene->payload = json_loadb(item.payload, item.payload_bytes, 0, NULL);
    CHECK(scene->payload != NULL);
    scene->count++;
    exp_envelope_destroy(envelope);
}

static struct scene begin(void)
{
    return (struct scene){.count = 0};
}

static void start(struct scene *scene)
{
    scene->traces = exp_traces_create(done, scene);
}

static void end(struct scene *scene)
{
    exp_traces_destroy(scene->traces);
    json_decref(scene->header);
    json_decref(scene->payload);
}

static void say(
    struct scene *scene, enum prof_span_kind kind, uint64_t root, uint64_t id,
    const char *first, const char *second)
{
    static uint64_t time_ns = 1000000;
    struct prof_span span = {
        .kind = kind,
        .tid = 7,
        .time_ns = time_ns += 1000,
        .trace = {1, 2},
        .id = id,
        .parent = kind == PROF_SPAN_START ? root : 0,
        .root = root};
    (void)snprintf(span.first, sizeof span.first, "%s", first);
    (void)snprintf(span.second, sizeof span.second, "%s", second);
    exp_traces_take(scene->traces, &span);
}

static const char *text_at(json_t *object, const char *one, const char *two)
{
    json_t *value = json_object_get(object, one);
    if (two != NULL)
        value = json_object_get(value, two);
    const char *text = json_string_value(value);
    return text != NULL ? text : "";
}

TEST(traces_of_a_transaction_end_with_its_end)
{
    struct scene scene = begin();
    start(&scene);
    say(&scene, PROF_SPAN_ROOT, 1, 1, "name", "op");
    say(&scene, PROF_SPAN_START, 1, 2, "open", "op");
    CHECK_EQ(exp_traces_open_count(scene.traces), 1);
    say(&scene, PROF_SPAN_END, 1, 1, "", "");
    say(&scene, PROF_SPAN_END, 1, 2, "", ""); /* too late */
    CHECK_EQ(exp_traces_open_count(scene.traces), 0);
    CHECK_EQ(scene.count, 1);
    json_t *spans = json_object_get(scene.payload, "spans");
    CHECK_EQ(json_array_size(spans), 1);
    CHECK_STR(text_at(json_array_get(spans, 0), "status", NULL), "aborted");
    CHECK_STR(
        text_at(json_array_get(spans, 0), "timestamp", NULL),
        text_at(scene.payload, "timestamp", NULL));
    end(&scene);
}

TEST(traces_of_which_the_start_was_lost_are_none)
{
    struct scene scene = begin();
    start(&scene);
    say(&scene, PROF_SPAN_START, 9, 2, "span", "op");
    say(&scene, PROF_SPAN_END, 9, 2, "", "");
    say(&scene, PROF_SPAN_END, 9, 9, "", "");
    CHECK_EQ(scene.count, 0);
    end(&scene);
}

TEST(traces_keep_a_thousand_spans_and_transactions_at_a_time)
{
    struct scene scene = begin();
    start(&scene);
    say(&scene, PROF_SPAN_ROOT, 1, 1, "name", "op");
    for (uint64_t id = 2; id < 1200; id++)
        say(&scene, PROF_SPAN_START, 1, id, "span", "op");
    say(&scene, PROF_SPAN_END, 1, 1, "", "");
    CHECK_EQ(
        json_array_size(json_object_get(scene.payload, "spans")),
        EXP_TRACE_SPANS_MAX);
    for (uint64_t id = 1; id <= 1030; id++)
        say(&scene, PROF_SPAN_ROOT, id, id, "name", "op");
    CHECK_EQ(exp_traces_open_count(scene.traces), 1024);
    CHECK_EQ(exp_traces_lost(scene.traces), 6);
    exp_traces_end(scene.traces, 1);
    CHECK_EQ(scene.count, 1025);
    end(&scene);
}

TEST(traces_tags_overrule_those_of_the_program)
{
    struct scene scene = begin();
    start(&scene);
    say(&scene, PROF_SPAN_ROOT, 1, 1, "", "op");
    say(&scene, PROF_SPAN_TAG, 1, 1, "zone", "first");
    say(&scene, PROF_SPAN_TAG, 1, 1, "zone", "second");
    say(&scene, PROF_SPAN_TAG, 1, 1, "", "no key");
    say(&scene, PROF_SPAN_END, 1, 1, "", "");
    CHECK_EQ(json_object_size(json_object_get(scene.payload, "tags")), 2);
    CHECK_STR(text_at(scene.payload, "tags", "zone"), "second");
    CHECK_STR(text_at(scene.payload, "tags", "host"), "a");
    CHECK_STR(text_at(scene.payload, "transaction", NULL), "<unnamed>");
    end(&scene);
}

TEST(traces_take_the_header_from_where_they_began)
{
    struct scene scene = begin();
    start(&scene);
    say(&scene, PROF_SPAN_ROOT, 1, 1, "name", "op");
    say(&scene, PROF_SPAN_BAGGAGE, 1, 1,
        "sentry-trace_id=abc,sentry-release=a%40b%2,sentry-=x,sentry-bad,"
        "other-a=b",
        "");
    say(&scene, PROF_SPAN_END, 1, 1, "", "");
    CHECK_STR(text_at(scene.header, "trace", "trace_id"), "abc");
    CHECK_STR(text_at(scene.header, "trace", "release"), "a@b%2");
    CHECK_EQ(json_object_size(json_object_get(scene.header, "trace")), 2);
    say(&scene, PROF_SPAN_ROOT, 1, 1, "name", "op");
    say(&scene, PROF_SPAN_BAGGAGE, 1, 1, "sentry-release=x", "");
    say(&scene, PROF_SPAN_END, 1, 1, "", "");
    CHECK_STR(
        text_at(scene.header, "trace", "trace_id"),
        "00000000000000010000000000000002");
    CHECK_STR(text_at(scene.header, "trace", "public_key"), "key");
    CHECK_STR(text_at(scene.header, "trace", "transaction"), "name");
    end(&scene);
}
