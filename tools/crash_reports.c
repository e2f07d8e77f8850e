/* What is made of a crash. */
#include "tools/crash_reports.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exporters/frames.h"
#include "exporters/output.h"
#include "exporters/sentry/event.h"
#include "exporters/sentry/event_exception.h"
#include "exporters/sentry/scope.h"
#include "exporters/sentry/system.h"
#include "exporters/text.h"
#include "exporters/writer.h"
#include "symbolizer/demangle.h"
#include "tools/crash_send.h"
#include "tools/pattern.h"
#include "tools/symbolize_profile.h"
#include "tools/tool.h"

/* Of one recording; what comes after is in the files, and counted. */
enum { NOTES_MAX = 20, LINE_BYTES = 3 * PROF_CRASH_TEXT_BYTES };

/* ---- one line ---- */

/* The innermost line of the program's own code; NULL: there is none. */
static const struct prof_line *find_own_line(const struct prof_crash *crash)
{
    const struct prof_profile *profile = crash->profile;
    const struct prof_sample *sample = prof_crash_stack(crash, crash->thread);
    for (uint32_t at = sample ? sample->stack : PROF_NONE; at != PROF_NONE;
         at = prof_profile_stack(profile, at)->parent) {
        const struct prof_frame *frame =
            prof_profile_frame(profile, prof_profile_stack(profile, at)->frame);
        if (frame->kind == PROF_FRAME_NATIVE && frame->line_count > 0 &&
            exp_module_is_own(profile, crash->process, frame->module))
            return prof_profile_line(profile, frame->first_line);
    }
    return NULL;
}

void crash_describe(const struct prof_crash *crash, char *text, size_t bytes)
{
    char type[PROF_SIGNAL_NAME_BYTES], value[PROF_CRASH_TEXT_BYTES];
    char place[PROF_CRASH_TEXT_BYTES] = "";
    const struct prof_profile *profile = crash->profile;
    const struct prof_process *process =
        prof_profile_process(profile, crash->process);
    const struct prof_line *line = find_own_line(crash);
    exp_event_value(crash, value, sizeof value);
    if (line != NULL && line->line != 0)
        (void)snprintf(
            place, sizeof place, " in %s (%s:%" PRIu32 ")",
            prof_profile_text(profile, line->function),
            exp_text_base_name(prof_profile_text(profile, line->file)),
            line->line);
    else if (line != NULL)
        (void)snprintf(
            place, sizeof place, " in %s",
            prof_profile_text(profile, line->function));
    (void)snprintf(
        text, bytes, "%s (pid %" PRIu32 ") %s: %s%s%s%s",
        prof_profile_text(profile, process->name), process->pid,
        crash->kind == PROF_CRASH_CAUGHT ? "crashed" : "ended",
        exp_event_type(crash, type), value[0] != '\0' ? ": " : "", value,
        place);
}

/* ---- names ---- */

/* A type's name in the way that names of symbols are mangled. */
static void demangle_type(char *name, size_t bytes)
{
    static const char prefix[] = "typeinfo for ";
    char mangled[PROF_CRASH_TEXT_BYTES + 8], text[2 * PROF_CRASH_TEXT_BYTES];
    (void)snprintf(mangled, sizeof mangled, "_ZTI%s", name);
    if (*name == '\0' || sym_demangle(mangled, text, sizeof text) == 0 ||
        strncmp(text, prefix, sizeof prefix - 1) != 0)
        return;
    (void)snprintf(
        name, bytes, "%.*s", (int)(bytes - 1), text + sizeof prefix - 1);
}

static void give_names(
    const struct crash_reports *reports, struct prof_crash *crash)
{
    struct diag diag = {.status = STATUS_OK};
    if (symbolize_profile(
            crash->profile, reports->session->symbolizer, NULL, &diag) !=
        STATUS_OK)
        prof_profile_add_note(crash->profile, diag.text);
    demangle_type(crash->exception_type, sizeof crash->exception_type);
}

/* ---- the file ---- */

static enum status write_payload(
    const char *path, const char *payload, size_t bytes, struct diag *diag)
{
    struct exp_output *output;
    enum status status = exp_output_open(&output, path, diag);
    if (status != STATUS_OK)
        return status;
    exp_write(exp_output_writer(output), payload, bytes);
    exp_write_char(exp_output_writer(output), '\n');
    return exp_output_commit(output, diag);
}

static enum status write_file(
    const struct prof_crash *crash, const char *path, struct diag *diag)
{
    char id[EXP_ID_BYTES], *payload = NULL;
    size_t bytes = 0;
    const struct exp_scope scope = {
        .release = getenv("SENTRY_RELEASE"),
        .environment = getenv("SENTRY_ENVIRONMENT")};
    struct exp_system system;
    exp_system_read(&system);
    const struct exp_event_options options = {
        .event_id = exp_id_make(id), .scope = &scope, .system = &system};
    enum status status = exp_event_make(crash, &options, &payload, &bytes);
    if (status != STATUS_OK)
        return fail(diag, status, "the crash is not written: no memory");
    status = write_payload(path, payload, bytes, diag);
    free(payload);
    return status;
}

/* Whether it is the process whose end is the session's. */
static bool is_first(
    const struct crash_reports *reports, const struct prof_crash *crash)
{
    const struct prof_profile *profile = reports->session->profile;
    return crash->process != PROF_NONE &&
           prof_profile_process_count(profile) > 0 &&
           prof_profile_process(crash->profile, crash->process)->pid ==
               prof_profile_process(profile, 0)->pid;
}

static void note_status(
    struct crash_reports *reports, const struct prof_crash *crash)
{
    bool is_from_outside =
        crash->kind == PROF_CRASH_OOM || crash->kind == PROF_CRASH_UNKNOWN ||
        (crash->kind == PROF_CRASH_KILLED && crash->signal == SIGKILL);
    enum exp_session_status status =
        is_from_outside ? EXP_SESSION_ABNORMAL : EXP_SESSION_CRASHED;
    if (crash->kind == PROF_CRASH_EXITED || crash->process == PROF_NONE)
        return;
    if (!is_first(reports, crash))
        last_crash_note(
            &reports->last,
            prof_profile_process(crash->profile, crash->process)->pid,
            crash->time_ns, status);
    else if (is_from_outside)
        reports->status = status;
}

enum exp_session_status crash_reports_session_status(
    const struct crash_reports *reports, enum exp_session_status status)
{
    bool is_ended =
        status == EXP_SESSION_EXITED &&
        last_crash_was_the_end(&reports->last, reports->session->profile);
    return is_ended ? reports->last.status : status;
}

static void take(void *owner, struct prof_crash *crash)
{
    struct crash_reports *reports = owner;
    struct diag diag = {.status = STATUS_OK};
    char path[TOOL_TEXT_BYTES], line[LINE_BYTES];
    char told[sizeof path + sizeof line + 8];
    give_names(reports, crash);
    /* Before anything else can fail. */
    if (reporting_is_on(reports->session->reporting))
        crash_send(
            reports->session->reporting, reports->session->profile,
            is_first(reports, crash), crash);
    note_status(reports, crash);
    crash_describe(crash, line, sizeof line);
    if (reports->pattern != NULL) {
        pattern_expand(
            reports->pattern, strlen(reports->pattern), crash->profile,
            crash->process, path, sizeof path);
        enum status status = write_file(crash, path, &diag);
        (void)snprintf(
            told, sizeof told, "%s; %s%s", line,
            status == STATUS_OK ? "see " : "",
            status == STATUS_OK ? path : diag.text);
    } else {
        (void)snprintf(told, sizeof told, "%s", line);
    }
    if (reports->count++ < NOTES_MAX)
        prof_profile_add_note(reports->session->profile, told);
    prof_crash_destroy(crash);
}

void crash_reports_ask(
    struct crash_reports *reports, struct session *session,
    struct prof_collector_options *options)
{
    reports->session = session;
    reports->status = EXP_SESSION_EXITED;
    options->crashes.is_wanted |= reporting_is_on(session->reporting);
    options->crashes.take = take;
    options->crashes.owner = reports;
}
