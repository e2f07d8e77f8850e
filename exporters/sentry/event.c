/* A crash as an event. */
#include "exporters/sentry/event.h"

#include <stdlib.h>

#include "exporters/json.h"
#include "exporters/sentry/client.h"
#include "exporters/sentry/event_exception.h"
#include "exporters/sentry/event_stack.h"
#include "exporters/sentry/image.h"
#include "exporters/sentry/scope.h"
#include "exporters/sentry/system.h"
#include "exporters/sentry/time_text.h"
#include "exporters/writer.h"

enum { NS_PER_MS = 1000000 };

/* How much of a crash is said, from all to little. */
static const struct limits {
    uint32_t threads, frames, other_frames;
} limits_list[] = {
    {UINT32_MAX, 256, 256},
    {UINT32_MAX, 256, 64},
    {1024, 256, 32},
    {512, 256, 16},
    {128, 128, 16},
    {1, 128, 0},
    {1, 32, 0},
};

/* An event that is being written. */
struct event {
    const struct prof_crash *crash;
    const struct exp_event_options *options;
    const struct limits *limits;
    struct exp_event_stacks stacks;
    struct exp_json json;
};

/* ---- threads ---- */

static bool write_thread(struct event *event, uint32_t thread)
{
    struct exp_json *json = &event->json;
    const struct prof_crash *crash = event->crash;
    const struct prof_profile *profile = crash->profile;
    const struct prof_thread *row = prof_profile_thread(profile, thread);
    const struct prof_sample *sample = prof_crash_stack(crash, thread);
    bool is_crashed = thread == crash->thread, is_written = true;
    exp_json_begin_object(json);
    exp_json_member_i64(json, "id", row->tid);
    exp_json_member_if(json, "name", prof_profile_text(profile, row->name));
    exp_json_member_bool(json, "crashed", is_crashed);
    exp_json_member_bool(json, "current", is_crashed);
    exp_json_member_bool(
        json, "main",
        row->tid == prof_profile_process(profile, row->process)->pid);
    if (sample != NULL && !is_crashed) {
        exp_json_member_if(json, "state", prof_state_text(sample->state));
        is_written = exp_event_stack_write(
            &event->stacks, sample, event->limits->other_frames, false, json);
    }
    exp_json_end(json);
    return is_written;
}

static bool write_threads(struct event *event)
{
    const struct prof_crash *crash = event->crash;
    uint32_t count = prof_profile_thread_count(crash->profile), written = 0;
    bool is_written = true;
    if (count == 0)
        return true;
    exp_json_key(&event->json, "threads");
    exp_json_begin_object(&event->json);
    exp_json_key(&event->json, "values");
    exp_json_begin_array(&event->json);
    if (crash->thread != PROF_NONE) {
        is_written = write_thread(event, crash->thread);
        written++;
    }
    for (uint32_t i = 0;
         i < count && written < event->limits->threads && is_written; i++) {
        if (i == crash->thread)
            continue;
        is_written = write_thread(event, i);
        written++;
    }
    exp_json_end(&event->json);
    exp_json_end(&event->json);
    return is_written;
}

static void write_images(struct event *event)
{
    const struct prof_crash *crash = event->crash;
    struct exp_image image;
    exp_json_key(&event->json, "debug_meta");
    exp_json_begin_object(&event->json);
    exp_json_key(&event->json, "images");
    exp_json_begin_array(&event->json);
    for (uint32_t i = 0; i < prof_profile_module_count(crash->profile); i++) {
        if (event->stacks.is_used[i] &&
            exp_image_find(crash->profile, crash->process, i, &image))
            exp_image_write(
                crash->profile, &image, EXP_IMAGE_EVENT, &event->json);
    }
    exp_json_end(&event->json);
    exp_json_end(&event->json);
}

/* ---- the surroundings ---- */

static void write_scope(struct event *event)
{
    struct exp_json *json = &event->json;
    const struct exp_scope *scope = event->options->scope;
    const struct prof_crash *crash = event->crash;
    const char *server = scope->server_name;
    const struct prof_origin *origin = prof_profile_read_origin(crash->profile);
    if ((server == NULL || *server == '\0') && event->options->is_pii_sent)
        server = prof_profile_text(crash->profile, origin->hostname);
    exp_json_member_if(json, "release", scope->release);
    exp_json_member_if(
        json, "environment", exp_scope_environment(scope->environment));
    exp_json_member_if(json, "dist", scope->dist);
    exp_json_member_if(json, "server_name", server);
    exp_json_key(json, "tags");
    exp_json_begin_object(json);
    for (size_t i = 0; i < scope->tag_count; i++)
        exp_json_member_if(json, scope->tags[i].key, scope->tags[i].value);
    exp_json_end(json);
}

static void write_app(struct event *event)
{
    struct exp_json *json = &event->json;
    const struct prof_crash *crash = event->crash;
    char time[EXP_TIME_BYTES];
    if (crash->process == PROF_NONE)
        return;
    const struct prof_process *process =
        prof_profile_process(crash->profile, crash->process);
    exp_json_key(json, "app");
    exp_json_begin_object(json);
    exp_json_member_if(json, "type", "app");
    exp_json_member_if(
        json, "app_name", prof_profile_text(crash->profile, process->name));
    exp_json_member_if(
        json, "app_start_time",
        exp_time_text(crash->start_unix_ns / NS_PER_MS, time));
    exp_json_end(json);
}

static void write_contexts(struct event *event)
{
    struct exp_json *json = &event->json;
    char span[EXP_SPAN_ID_BYTES];
    exp_json_key(json, "contexts");
    exp_json_begin_object(json);
    if (event->options->system != NULL)
        exp_system_write(event->options->system, json);
    write_app(event);
    if (event->options->profiler_id != NULL) {
        exp_json_key(json, "profile");
        exp_json_begin_object(json);
        exp_json_member_if(json, "type", "profile");
        exp_json_member_if(json, "profiler_id", event->options->profiler_id);
        exp_json_end(json);
    }
    if (event->options->trace_id != NULL) {
        exp_json_key(json, "trace");
        exp_json_begin_object(json);
        exp_json_member_if(json, "type", "trace");
        exp_json_member_if(json, "trace_id", event->options->trace_id);
        exp_json_member_if(json, "span_id", exp_id_make_span(span));
        exp_json_end(json);
    }
    exp_json_end(json);
}

/* Arguments may hold what nobody is to know; how many there were does not. */
static void write_command(struct event *event)
{
    struct exp_json *json = &event->json;
    const struct prof_crash *crash = event->crash;
    const char *line = prof_profile_text(
        crash->profile, prof_profile_read_origin(crash->profile)->command_line);
    if (event->options->is_pii_sent)
        exp_json_member_if(json, "command_line", line);
    if (crash->argument_count > 0)
        exp_json_member_i64(json, "argument_count", crash->argument_count);
}

static void write_extra(struct event *event)
{
    struct exp_json *json = &event->json;
    const struct prof_profile *profile = event->crash->profile;
    exp_json_key(json, "extra");
    exp_json_begin_object(json);
    if (event->crash->process != PROF_NONE)
        exp_json_member_i64(
            json, "pid",
            prof_profile_process(profile, event->crash->process)->pid);
    write_command(event);
    if (event->options->repeats > 0)
        exp_json_member_i64(json, "repeats", event->options->repeats);
    if (prof_profile_note_count(profile) > 0)
        exp_json_member_if(
            json, "note",
            prof_profile_text(profile, prof_profile_note(profile, 0)->text));
    exp_json_end(json);
}

static bool write_event(struct event *event)
{
    struct exp_json *json = &event->json;
    char time[EXP_TIME_BYTES];
    exp_json_begin_object(json);
    exp_json_member_if(json, "event_id", event->options->event_id);
    exp_json_member_if(
        json, "timestamp",
        exp_time_text(event->crash->unix_ns / NS_PER_MS, time));
    exp_json_member_if(json, "platform", "native");
    exp_json_member_if(
        json, "level",
        event->crash->kind == PROF_CRASH_EXITED ? "error" : "fatal");
    exp_json_key(json, "sdk");
    exp_json_begin_object(json);
    exp_json_member_if(json, "name", EXP_CLIENT_NAME);
    exp_json_member_if(json, "version", EXP_CLIENT_VERSION);
    exp_json_end(json);
    write_scope(event);
    bool is_written =
        exp_event_exception_write(
            &event->stacks, event->limits->frames, &event->json) &&
        write_threads(event);
    write_images(event);
    write_contexts(event);
    write_extra(event);
    exp_json_end(json);
    return is_written;
}

/* ---- within the limit ---- */

/* NULL: out of memory. */
static char *try_event(struct event *event, size_t *bytes)
{
    struct exp_writer *writer = exp_writer_create_memory();
    uint32_t modules = prof_profile_module_count(event->crash->profile);
    event->stacks = (struct exp_event_stacks){
        .crash = event->crash,
        .names = exp_frames_create(event->crash->profile),
        .in_app = event->options->scope->in_app,
        .is_used = calloc(modules + 1, sizeof(bool))};
    bool is_written = false;
    if (writer != NULL && event->stacks.names != NULL &&
        event->stacks.is_used != NULL) {
        event->json = exp_json_init(writer, EXP_JSON_COMPACT);
        is_written = write_event(event);
    }
    exp_frames_destroy(event->stacks.names);
    free(event->stacks.is_used);
    if (is_written && exp_writer_bytes(writer, bytes) != NULL)
        return exp_writer_take(writer);
    exp_writer_destroy(writer);
    return NULL;
}

enum status exp_event_make(
    const struct prof_crash *crash, const struct exp_event_options *options,
    char **payload, size_t *bytes)
{
    enum { STEPS = sizeof limits_list / sizeof *limits_list };
    for (int i = 0; i < STEPS; i++) {
        struct event event = {
            .crash = crash, .options = options, .limits = &limits_list[i]};
        char *made = try_event(&event, bytes);
        if (made == NULL)
            return STATUS_NO_MEMORY;
        if (*bytes <= EXP_EVENT_BYTES_MAX) {
            *payload = made;
            return STATUS_OK;
        }
        free(made);
    }
    return STATUS_LIMIT;
}
