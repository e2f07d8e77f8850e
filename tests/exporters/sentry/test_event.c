/* Events, by the rules that a backend applies to them, and their limit. */
#include "tests/harness.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exporters/sentry/event.h"
#include "exporters/sentry/event_exception.h"
#include "exporters/sentry/scope.h"
#include "exporters/sentry/system.h"

static const struct exp_scope no_scope;

/* A program at 0x400000 whose frames are named "f0", "f1", ... */
static struct prof_crash *make_crash(void)
{
    struct prof_crash *crash = prof_crash_create();
    assert_non_null(crash);
    struct prof_profile *profile = crash->profile;
    struct prof_process process = {
        .pid = 7,
        .name = prof_profile_string(profile, "app"),
        .path = prof_profile_string(profile, "/opt/app")};
    crash->process = prof_profile_add_process(profile, &process);
    (void)prof_profile_add_value_type(profile, "threads", "count");
    struct prof_module module = {
        .kind = PROF_MODULE_FILE,
        .path = process.path,
        .build_id_bytes = 16,
        .build_id = {0x15, 0xdf}};
    struct prof_mapping mapping = {
        .process = crash->process,
        .module = prof_profile_add_module(profile, &module),
        .start = 0x400000,
        .end = 0x500000,
        .to_ns = UINT64_MAX};
    (void)prof_profile_add_mapping(profile, &mapping);
    crash->signal = SIGSEGV;
    crash->code = SEGV_MAPERR;
    crash->is_fault = true;
    return crash;
}

/* A thread whose stack has `depth` frames, the innermost is the last. */
static uint32_t add_thread(
    struct prof_crash *crash, uint32_t tid, uint32_t depth)
{
    struct prof_profile *profile = crash->profile;
    struct prof_thread thread = {.process = crash->process, .tid = tid};
    struct prof_sample sample = {
        .thread = prof_profile_add_thread(profile, &thread),
        .stack = PROF_NONE,
        .values = {1}};
    for (uint32_t i = 0; i < depth; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "f%u", i);
        uint32_t frame = prof_profile_add_native_frame(profile, 0, i);
        struct prof_line lines[2] = {
            {.function = prof_profile_string(profile, name), .line = i + 1},
            {.function = prof_profile_string(profile, "outer"), .line = 1}};
        lines[0].is_inlined = i == 1;
        if (prof_profile_frame(profile, frame)->line_count == 0)
            prof_profile_set_lines(profile, frame, lines, i == 1 ? 2 : 1);
        sample.stack = prof_profile_add_stack(profile, sample.stack, frame);
    }
    (void)prof_profile_add_sample(profile, &sample);
    return sample.thread;
}

static json_t *make_event(const struct prof_crash *crash, size_t *bytes)
{
    const struct exp_event_options options = {
        .event_id = "0123456789abcdef0123456789abcdef", .scope = &no_scope};
    char *payload = NULL;
    json_error_t error;
    CHECK_OK(exp_event_make(crash, &options, &payload, bytes));
    json_t *event = json_loadb(payload, *bytes, 0, &error);
    assert_non_null(event);
    free(payload);
    return event;
}

static const json_t *value_of(const json_t *event)
{
    return json_array_get(
        json_object_get(json_object_get(event, "exception"), "values"), 0);
}

static const json_t *frames_of(const json_t *owner)
{
    return json_object_get(json_object_get(owner, "stacktrace"), "frames");
}

static const char *function_at(const json_t *frames, size_t at)
{
    return json_string_value(
        json_object_get(json_array_get(frames, at), "function"));
}

TEST(event_frames_go_from_the_caller_to_where_it_crashed)
{
    size_t bytes;
    struct prof_crash *crash = make_crash();
    crash->thread = add_thread(crash, 7, 3);
    json_t *event = make_event(crash, &bytes);
    const json_t *frames = frames_of(value_of(event));
    /* The inlined call comes after who it was inlined into. */
    CHECK_EQ(json_array_size(frames), 4);
    CHECK_STR(function_at(frames, 0), "f0");
    CHECK_STR(function_at(frames, 1), "outer");
    CHECK_STR(function_at(frames, 2), "f1");
    CHECK_STR(function_at(frames, 3), "f2");
    const json_t *last = json_array_get(frames, 3);
    CHECK_STR(
        json_string_value(json_object_get(last, "instruction_addr")),
        "0x400002");
    CHECK(json_is_true(json_object_get(last, "in_app")));
    json_decref(event);
    prof_crash_destroy(crash);
}

TEST(event_says_a_stack_once)
{
    size_t bytes;
    struct prof_crash *crash = make_crash();
    crash->thread = add_thread(crash, 8, 3);
    (void)add_thread(crash, 7, 2);
    json_t *event = make_event(crash, &bytes);
    const json_t *threads =
        json_object_get(json_object_get(event, "threads"), "values");
    CHECK_EQ(json_array_size(threads), 2);
    CHECK(frames_of(json_array_get(threads, 0)) == NULL);
    CHECK(json_is_true(json_object_get(json_array_get(threads, 0), "crashed")));
    CHECK_EQ(json_array_size(frames_of(json_array_get(threads, 1))), 3);
    CHECK(json_is_true(json_object_get(json_array_get(threads, 1), "main")));
    json_decref(event);
    prof_crash_destroy(crash);
}

TEST(event_stays_within_its_limit_and_keeps_who_crashed)
{
    enum { THREADS = 3000, DEPTH = 300, CUT = 256 };
    size_t bytes;
    struct prof_crash *crash = make_crash();
    for (uint32_t i = 0; i < THREADS; i++)
        (void)add_thread(crash, 7 + i, DEPTH);
    crash->thread = THREADS - 1;
    json_t *event = make_event(crash, &bytes);
    CHECK(bytes <= EXP_EVENT_BYTES_MAX);
    const json_t *frames = frames_of(value_of(event));
    CHECK(json_array_size(frames) >= 100);
    CHECK_STR(function_at(frames, json_array_size(frames) - 1), "f299");
    CHECK_STR(function_at(frames, 0), "f0");
    CHECK(
        json_array_size(json_object_get(
            json_object_get(value_of(event), "stacktrace"),
            "frames_omitted")) == 2);
    json_decref(event);
    prof_crash_destroy(crash);
}

TEST(event_takes_an_exception_for_the_cause_only_where_nobody_caught_it)
{
    char buffer[PROF_SIGNAL_NAME_BYTES];
    struct prof_crash *crash = make_crash();
    crash->thread = add_thread(crash, 7, 3);
    crash->signal = SIGABRT;
    (void)snprintf(
        crash->exception_type, sizeof crash->exception_type, "std::bad_alloc");
    CHECK_STR(exp_event_type(crash, buffer), "SIGABRT");
    struct prof_profile *profile = crash->profile;
    uint32_t frame = prof_profile_add_native_frame(profile, 0, 1000);
    struct prof_line line = {
        .function = prof_profile_string(profile, "std::terminate()")};
    prof_profile_set_lines(profile, frame, &line, 1);
    struct prof_thread thread = {.process = crash->process, .tid = 9};
    struct prof_sample sample = {
        .thread = prof_profile_add_thread(profile, &thread),
        .stack = prof_profile_add_stack(profile, PROF_NONE, frame),
        .values = {1}};
    (void)prof_profile_add_sample(profile, &sample);
    crash->thread = sample.thread;
    CHECK_STR(exp_event_type(crash, buffer), "std::bad_alloc");
    prof_crash_destroy(crash);
}

TEST(event_of_a_death_without_a_word_has_no_stack)
{
    size_t bytes;
    struct prof_crash *crash = make_crash();
    crash->kind = PROF_CRASH_UNKNOWN;
    crash->signal = 0;
    crash->is_fault = false;
    json_t *event = make_event(crash, &bytes);
    CHECK(frames_of(value_of(event)) == NULL);
    CHECK(json_object_get(event, "threads") == NULL);
    CHECK_STR(
        json_string_value(json_object_get(value_of(event), "value")),
        "ended without a word, status unknown");
    json_decref(event);
    prof_crash_destroy(crash);
}
