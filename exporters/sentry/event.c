/* A crash as an event. */
#include "exporters/sentry/event.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "exporters/json.h"
#include "exporters/sentry/client.h"
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

/* ---- what it is called ---- */

static bool has_exception(const struct prof_crash *crash)
{
    return crash->exception_type[0] != '\0' && prof_crash_is_uncaught(crash);
}

const char *exp_event_type(
    const struct prof_crash *crash, char buffer[static PROF_SIGNAL_NAME_BYTES])
{
    switch (crash->kind) {
    case PROF_CRASH_OOM:
        return "OutOfMemory";
    case PROF_CRASH_EXITED:
        return "Exit";
    case PROF_CRASH_UNKNOWN:
        return "Vanished";
    default:
        return has_exception(crash) ? crash->exception_type
                                    : prof_signal_name(crash->signal, buffer);
    }
}

void exp_event_value(const struct prof_crash *crash, char *text, size_t bytes)
{
    const char *words = prof_signal_text(crash->signal);
    switch (crash->kind) {
    case PROF_CRASH_OOM:
        (void)snprintf(
            text, bytes, "killed by the OOM killer of its control group");
        return;
    case PROF_CRASH_EXITED:
        (void)snprintf(
            text, bytes, "exited with status %d",
            WEXITSTATUS(crash->wait_status));
        return;
    case PROF_CRASH_UNKNOWN:
        (void)snprintf(text, bytes, "ended without a word, status unknown");
        return;
    case PROF_CRASH_KILLED:
    case PROF_CRASH_CAUGHT:
        break;
    }
    if (has_exception(crash))
        (void)snprintf(text, bytes, "%s", crash->exception_what);
    else if (crash->message[0] != '\0')
        (void)snprintf(text, bytes, "%s", crash->message);
    else if (crash->is_fault)
        (void)snprintf(
            text, bytes, "%s at 0x%" PRIx64, words ? words : "fault",
            crash->address);
    else
        (void)snprintf(text, bytes, "%s", words ? words : "");
}

/* ---- the exception ---- */

static void write_signal(const struct prof_crash *crash, struct exp_json *json)
{
    char name[PROF_SIGNAL_NAME_BYTES];
    exp_json_key(json, "meta");
    exp_json_begin_object(json);
    exp_json_key(json, "signal");
    exp_json_begin_object(json);
    exp_json_member_i64(json, "number", crash->signal);
    exp_json_member_if(json, "name", prof_signal_name(crash->signal, name));
    if (crash->kind == PROF_CRASH_CAUGHT) {
        exp_json_member_i64(json, "code", crash->code);
        exp_json_member_if(
            json, "code_name",
            prof_signal_code_name(crash->signal, crash->code));
    }
    exp_json_end(json);
    if (crash->error != 0) {
        exp_json_key(json, "errno");
        exp_json_begin_object(json);
        exp_json_member_i64(json, "number", crash->error);
        exp_json_member_if(json, "name", strerrorname_np(crash->error));
        exp_json_end(json);
    }
    exp_json_end(json);
}

static void write_status(const struct prof_crash *crash, struct exp_json *json)
{
    char name[PROF_SIGNAL_NAME_BYTES];
    if (!crash->is_status_known)
        return;
    if (WIFSIGNALED(crash->wait_status)) {
        exp_json_member_if(
            json, "ended_by",
            prof_signal_name(WTERMSIG(crash->wait_status), name));
        exp_json_member_bool(
            json, "core_dumped", WCOREDUMP(crash->wait_status));
    } else {
        exp_json_member_i64(
            json, "exit_status", WEXITSTATUS(crash->wait_status));
    }
}

static void write_mechanism_data(
    const struct prof_crash *crash, struct exp_json *json)
{
    exp_json_key(json, "data");
    exp_json_begin_object(json);
    if (crash->is_fault)
        exp_image_write_address(json, "fault_address", crash->address);
    if (crash->sender != 0)
        exp_json_member_i64(json, "sender_pid", crash->sender);
    if (crash->reason != 0)
        exp_json_member_i64(json, "system_call", crash->reason);
    if (crash->is_in_handler)
        exp_json_member_bool(json, "in_own_handler", true);
    if (crash->message[0] != '\0' && has_exception(crash))
        exp_json_member_if(json, "message", crash->message);
    write_status(crash, json);
    exp_json_end(json);
}

static void write_mechanism(
    const struct prof_crash *crash, struct exp_json *json)
{
    exp_json_key(json, "mechanism");
    exp_json_begin_object(json);
    exp_json_member_if(
        json, "type",
        crash->signal != 0                 ? "signalhandler"
        : crash->kind == PROF_CRASH_EXITED ? "exit"
                                           : "generic");
    exp_json_member_bool(json, "handled", false);
    /* Then the title is where it happened, and not "SIGSEGV" each time. */
    exp_json_member_bool(
        json, "synthetic",
        crash->kind == PROF_CRASH_CAUGHT && !has_exception(crash));
    if (crash->signal != 0)
        write_signal(crash, json);
    write_mechanism_data(crash, json);
    exp_json_end(json);
}

static bool write_exception(struct event *event)
{
    struct exp_json *json = &event->json;
    const struct prof_crash *crash = event->crash;
    char buffer[PROF_SIGNAL_NAME_BYTES], value[PROF_CRASH_TEXT_BYTES];
    const struct prof_sample *sample = prof_crash_stack(crash, crash->thread);
    bool is_written = true;
    exp_event_value(crash, value, sizeof value);
    exp_json_key(json, "exception");
    exp_json_begin_object(json);
    exp_json_key(json, "values");
    exp_json_begin_array(json);
    exp_json_begin_object(json);
    exp_json_member_if(json, "type", exp_event_type(crash, buffer));
    exp_json_member_if(json, "value", value);
    if (crash->thread != PROF_NONE)
        exp_json_member_i64(
            json, "thread_id",
            prof_profile_thread(crash->profile, crash->thread)->tid);
    write_mechanism(crash, json);
    if (sample != NULL)
        is_written = exp_event_stack_write(
            &event->stacks, sample, event->limits->frames, true, json);
    exp_json_end(json);
    exp_json_end(json);
    exp_json_end(json);
    return is_written;
}

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
    bool is_written = write_exception(event) && write_threads(event);
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
