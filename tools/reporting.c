/* What a session reports to a Sentry backend. */
#include "tools/reporting.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exporters/sentry/chunk_spool.h"
#include "exporters/sentry/envelope.h"
#include "exporters/sentry/release.h"
#include "profiler/base/clock.h"
#include "tools/open_symbolizer.h"
#include "tools/symbolize_profile.h"

_Static_assert(
    REPORTING_RELEASE_BYTES >= EXP_RELEASE_BYTES, "a build-id must fit");

enum { BATCH_MAX = 1 << 18 }; /* samples; more are not waited for */

static const uint64_t retry_ns = UINT64_C(5) * 1000000000;

static uint64_t now_ms(void)
{
    return clock_now_ns(CLOCK_REALTIME) / 1000000;
}

/* ---- beginning ---- */

bool reporting_is_drawn(double rate)
{
    uint32_t random = 0;
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
        random = (uint32_t)clock_now_ns(CLOCK_MONOTONIC);
    return (double)random < rate * 4294967296.0;
}

enum status reporting_read(struct reporting *reporting, struct diag *diag)
{
    *reporting = (struct reporting){.writer = 0};
    enum status status = sentry_settings_read(&reporting->settings, diag);
    reporting->is_profiling =
        reporting_is_drawn(reporting->settings.profile_rate);
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
    exp_timeline_init(&reporting->timeline);
    (void)exp_id_make(reporting->profiler_id);
    (void)exp_id_make(reporting->chunk_id);
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

/* ---- chunks ---- */

static enum status spool_chunk(
    void *context, const char *payload, size_t bytes, struct diag *diag)
{
    enum status status = exp_chunk_spool(context, payload, bytes, diag);
    /* What is too large for the spool was counted there. */
    return status == STATUS_LIMIT ? STATUS_OK : status;
}

/* The row of a sample that is single still, by its number. */
static uint32_t row_of(const struct prof_profile *profile, uint64_t number)
{
    uint64_t added = prof_profile_added_count(profile);
    return (uint32_t)(prof_profile_sample_count(profile) - (added - number));
}

static enum status make_chunks(
    struct reporting *reporting, struct exp_spool *spool,
    const struct prof_profile *profile, uint64_t until)
{
    const struct exp_chunk_options options = {
        .scope = &reporting->settings.scope,
        .profiler_id = reporting->profiler_id,
        .chunk_id = reporting->chunk_id};
    return exp_chunks_make(
        profile, &reporting->timeline, row_of(profile, reporting->spooled),
        row_of(profile, until), &options, spool_chunk, spool, NULL);
}

/* Which frames the batch has; NULL when out of memory. */
static bool *mark_frames(
    const struct reporting *reporting, const struct prof_profile *profile)
{
    bool *is_seen =
        calloc((size_t)prof_profile_stack_count(profile) + 1, sizeof *is_seen);
    bool *is_wanted = calloc(
        (size_t)prof_profile_frame_count(profile) + 1, sizeof *is_wanted);
    uint32_t end = row_of(profile, reporting->until);
    for (uint32_t id = row_of(profile, reporting->spooled);
         is_seen != NULL && is_wanted != NULL && id < end; id++) {
        uint32_t at = prof_profile_sample(profile, id)->stack;
        while (at != PROF_NONE && !is_seen[at]) {
            const struct prof_stack *stack = prof_profile_stack(profile, at);
            is_seen[at] = true;
            is_wanted[stack->frame] = true;
            at = stack->parent;
        }
    }
    free(is_seen);
    return is_wanted;
}

static enum status write_batch(
    struct reporting *reporting, struct prof_profile *profile,
    const struct prof_kept_files *kept)
{
    struct exp_spool *spool = NULL;
    enum status status =
        exp_spool_open(&spool, exp_spool_path(reporting->spool), NULL, NULL);
    struct sym_symbolizer *symbolizer = open_symbolizer(NULL);
    bool *is_wanted = mark_frames(reporting, profile);
    const struct symbolize_help help = {.kept = kept, .is_wanted = is_wanted};
    if (status == STATUS_OK && (symbolizer == NULL || is_wanted == NULL))
        status = STATUS_NO_MEMORY;
    /* Without symbols the addresses still stand for themselves. */
    if (status == STATUS_OK)
        (void)!symbolize_profile(profile, symbolizer, &help, NULL);
    if (status == STATUS_OK)
        status = make_chunks(reporting, spool, profile, reporting->until);
    free(is_wanted);
    exp_spool_close(spool);
    return status;
}

/* In the copy, which ends with what it is a copy of. */
_Noreturn static void write_and_end(
    struct reporting *reporting, struct prof_profile *profile,
    const struct prof_kept_files *kept, pid_t collector)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    bool is_written = getppid() == collector &&
                      write_batch(reporting, profile, kept) == STATUS_OK;
    _exit(is_written ? 0 : 1);
}

static void begin_batch(
    struct reporting *reporting, struct prof_profile *profile,
    const struct prof_kept_files *kept, uint64_t now_ns)
{
    /* One that failed is tried again as it was. */
    if (reporting->until <= reporting->spooled) {
        reporting->until = prof_profile_added_count(profile);
        reporting->until_ns = now_ns;
    }
    reporting->due_ns = now_ns + reporting->settings.chunk_ns;
    if (reporting->until == reporting->spooled)
        return;
    pid_t collector = getpid(), writer = fork();
    if (writer == 0)
        write_and_end(reporting, profile, kept, collector);
    if (writer > 0)
        reporting->writer = writer;
    else
        reporting->due_ns = now_ns + retry_ns;
}

/* The batch is in the spool. */
static void pass_batch(
    struct reporting *reporting, struct prof_profile *profile)
{
    struct table passed = {.row_bytes = sizeof(struct exp_stretch)};
    if (prof_profile_summed_count(profile) <= reporting->spooled)
        (void)exp_timeline_lay(
            &reporting->timeline, profile, row_of(profile, reporting->spooled),
            row_of(profile, reporting->until), &passed);
    table_fini(&passed);
    prof_profile_forget_readings(profile, reporting->until_ns);
    reporting->spooled = reporting->until;
    (void)exp_id_make(reporting->chunk_id);
    exp_sender_wake(reporting->sender);
}

static void reap(
    struct reporting *reporting, struct prof_profile *profile, int options)
{
    int status = 0;
    if (reporting->writer == 0 ||
        waitpid(reporting->writer, &status, options) == 0)
        return;
    reporting->writer = 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        pass_batch(reporting, profile);
    else
        reporting->due_ns = clock_now_ns(CLOCK_MONOTONIC) + retry_ns;
}

/* Samples that were summed because there were too many are lost to us. */
static void count_lost(
    struct reporting *reporting, struct prof_profile *profile)
{
    struct exp_discards lost = {0};
    if (prof_profile_summed_count(profile) <= reporting->spooled)
        return;
    reporting->spooled = prof_profile_summed_count(profile);
    lost.counts[EXP_DISCARD_QUEUE_OVERFLOW][EXP_CATEGORY_PROFILE_CHUNK] = 1;
    exp_spool_count_discards(reporting->spool, &lost);
    prof_profile_add_note(
        profile, "samples are missing in what was reported: the spool could "
                 "not be written");
}

void reporting_tend(
    struct reporting *reporting, struct prof_profile *profile,
    const struct prof_kept_files *kept)
{
    uint64_t now_ns = clock_now_ns(CLOCK_MONOTONIC);
    tracing_tend(reporting);
    if (!reporting->is_begun)
        begin_session(reporting, profile);
    if (!reporting->is_profiling) {
        reporting->spooled = prof_profile_added_count(profile);
        return;
    }
    reap(reporting, profile, WNOHANG);
    count_lost(reporting, profile);
    if (!tracing_wants_profile(reporting, profile, now_ns))
        return;
    if (reporting->due_ns == 0)
        reporting->due_ns = now_ns + reporting->settings.chunk_ns;
    uint64_t waiting = prof_profile_added_count(profile) - reporting->spooled;
    bool is_retry = reporting->until > reporting->spooled;
    if (reporting->writer == 0 &&
        (now_ns >= reporting->due_ns || (waiting > BATCH_MAX && !is_retry)))
        begin_batch(reporting, profile, kept, now_ns);
}

uint64_t reporting_needs_from(const struct reporting *reporting)
{
    return reporting->spooled;
}

/* ---- the end ---- */

void reporting_end(
    struct reporting *reporting, struct prof_profile *profile,
    enum exp_session_status status)
{
    reap(reporting, profile, 0);
    count_lost(reporting, profile);
    if (reporting->is_profiling && tracing_has_profile(reporting))
        (void)!make_chunks(
            reporting, reporting->spool, profile,
            prof_profile_added_count(profile));
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
    exp_timeline_fini(&reporting->timeline);
    reporting->sender = NULL;
    reporting->spool = NULL;
    reporting->settings.dsn.host[0] = '\0'; /* it is off from here on */
}
