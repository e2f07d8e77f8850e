/* What a session reports to a Sentry backend. */
#include "tools/reporting.h"

#include <stdio.h>

#include "exporters/sentry/envelope.h"
#include "exporters/sentry/release.h"
#include "profiler/base/clock.h"
#include "tools/chunk_batches.h"
#include "tools/tracing.h"

_Static_assert(
    REPORTING_RELEASE_BYTES >= EXP_RELEASE_BYTES, "a build-id must fit");

static uint64_t now_ms(void)
{
    return clock_now_ns(CLOCK_REALTIME) / 1000000;
}

/* ---- beginning ---- */

enum status reporting_read(struct reporting *reporting, struct diag *diag)
{
    *reporting = (struct reporting){.spool = NULL};
    enum status status = sentry_settings_read(&reporting->settings, diag);
    reporting->is_profiling =
        sentry_settings_draw(reporting->settings.profile_rate);
    return status;
}

bool reporting_is_on(const struct reporting *reporting)
{
    return reporting != NULL && !exp_dsn_is_off(&reporting->settings.dsn);
}

enum prof_wish reporting_wish(struct reporting *reporting, bool *is_wall)
{
    const struct tracing *tracing = &reporting->tracing;
    if (!reporting->is_profiling) {
        *is_wall = false;
        reporting->wish = PROF_SAMPLES_NEVER;
    } else if (tracing->is_by_trace && tracing->traces != NULL && !*is_wall) {
        reporting->wish = PROF_SAMPLES_BY_SPAN;
    }
    return reporting->wish;
}

enum status reporting_begin(struct reporting *reporting, struct diag *diag)
{
    const struct sentry_settings *settings = &reporting->settings;
    enum status status =
        exp_spool_open_for(&reporting->spool, &settings->dsn, diag);
    if (status != STATUS_OK)
        return status;
    const struct exp_sender_options options = {
        .dsn = &settings->dsn, .spool = reporting->spool};
    status = exp_sender_start(&reporting->sender, &options, diag);
    if (status != STATUS_OK) {
        exp_spool_close(reporting->spool);
        reporting->spool = NULL;
        return status;
    }
    chunk_batches_init(&reporting->batches);
    (void)exp_id_make(reporting->profiler_id);
    (void)exp_id_make(reporting->health.id);
    reporting->health.started_ms = now_ms();
    reporting->health.environment = settings->scope.environment;
    return STATUS_OK;
}

/* ---- the session ---- */

void reporting_name_release(
    struct reporting *reporting, const struct prof_profile *profile)
{
    if (reporting->health.release != NULL)
        return;
    const char *given = reporting->settings.scope.release;
    char build_id[EXP_RELEASE_BYTES];
    if (given == NULL || given[0] == '\0') {
        (void)snprintf(
            reporting->release, sizeof reporting->release, "%s",
            exp_release_of_profile(profile, build_id));
        given = reporting->release;
    }
    reporting->health.release = given;
}

static void tell_session(
    struct reporting *reporting, enum exp_session_status status)
{
    struct exp_envelope *envelope = exp_envelope_create(NULL);
    if (envelope != NULL &&
        exp_session_add(
            envelope, &reporting->health, status, !reporting->is_begun,
            now_ms()) &&
        exp_spool_add(reporting->spool, envelope, NULL) == STATUS_OK) {
        reporting->is_begun = true;
        exp_sender_wake(reporting->sender);
    }
    exp_envelope_destroy(envelope);
}

/* The main binary is known once its process has said HELLO. */
static void begin_session(
    struct reporting *reporting, const struct prof_profile *profile)
{
    if (prof_profile_process_count(profile) == 0)
        return;
    reporting_name_release(reporting, profile);
    tell_session(reporting, EXP_SESSION_OK);
}

bool reporting_add_crash(
    struct reporting *reporting, struct exp_envelope *envelope)
{
    if (reporting->is_ended || reporting->health.release == NULL ||
        !exp_session_add(
            envelope, &reporting->health, EXP_SESSION_CRASHED,
            !reporting->is_begun, now_ms()))
        return false;
    reporting->is_begun = true;
    reporting->is_ended = true;
    return true;
}

/* ---- going on ---- */

void reporting_tend(
    struct reporting *reporting, struct prof_profile *profile,
    const struct prof_kept_files *kept)
{
    uint64_t now_ns = clock_now_ns(CLOCK_MONOTONIC);
    tracing_tend(reporting);
    if (!reporting->is_begun)
        begin_session(reporting, profile);
    if (!reporting->is_profiling) {
        chunk_batches_pass_over(&reporting->batches, profile);
        return;
    }
    chunk_batches_look(reporting, profile);
    if (tracing_wants_profile(reporting, profile, now_ns))
        chunk_batches_tend(reporting, profile, kept, now_ns);
}

uint64_t reporting_needs_from(const struct reporting *reporting)
{
    return reporting->batches.spooled;
}

/* ---- the end ---- */

void reporting_end(
    struct reporting *reporting, struct prof_profile *profile,
    enum exp_session_status status)
{
    chunk_batches_end(
        reporting, profile,
        reporting->is_profiling && tracing_has_profile(reporting));
    if (reporting->health.release == NULL)
        reporting_name_release(reporting, profile);
    tracing_end(reporting, profile, status == EXP_SESSION_CRASHED);
    if (!reporting->is_ended)
        tell_session(reporting, status);
    reporting->is_ended = true;
    exp_sender_wake(reporting->sender);
}

void reporting_finish(struct reporting *reporting, struct diag *problem)
{
    struct exp_sender_state state = {.problem = ""};
    if (problem != NULL)
        problem->status = STATUS_OK;
    if (reporting->spool == NULL)
        return;
    bool is_sent =
        exp_sender_finish(reporting->sender, exp_sender_limit_ms(), &state);
    if (!is_sent || state.problem[0] != '\0')
        (void)fail(
            problem, STATUS_LIMIT, "%s '%.150s': %.250s",
            is_sent ? "not all was sent from" : "not sent yet, kept in",
            exp_spool_path(reporting->spool),
            state.problem[0] != '\0' ? state.problem
                                     : "the backend takes its time");
    exp_spool_close(reporting->spool);
    chunk_batches_fini(&reporting->batches);
    reporting->sender = NULL;
    reporting->spool = NULL;
    reporting->settings.dsn.host[0] = '\0'; /* it is off from here on */
}
