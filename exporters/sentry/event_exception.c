/* What an event says of the crash itself. */
#include "exporters/sentry/event_exception.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "exporters/sentry/image.h"

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

bool exp_event_exception_write(
    struct exp_event_stacks *stacks, uint32_t frames_max, struct exp_json *json)
{
    const struct prof_crash *crash = stacks->crash;
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
        is_written =
            exp_event_stack_write(stacks, sample, frames_max, true, json);
    exp_json_end(json);
    exp_json_end(json);
    exp_json_end(json);
    return is_written;
}
