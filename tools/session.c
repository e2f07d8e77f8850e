/* A profile in the making. */
#include "tools/session.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "exporters/quality.h"
#include "profiler/base/clock.h"
#include "tools/module_source.h"
#include "tools/open_symbolizer.h"
#include "tools/short_names.h"
#include "tools/symbolize_profile.h"
#include "tools/tool.h"
#include "tools/tracing.h"

enum { SUMMED_AT_ONCE = 4096, SINGLES_MAX = 1 << 20, READINGS_KEPT = 1800 };

bool session_parse_event(const char *text, bool *is_wall)
{
    *is_wall = strcmp(text, "wall") == 0;
    return *is_wall || strcmp(text, "cpu") == 0;
}

void session_describe(struct session *session, const char *command_line)
{
    struct prof_profile *profile = session->profile;
    struct utsname system;
    struct prof_origin origin = *prof_profile_origin(profile);
    if (uname(&system) == 0) {
        origin.hostname = prof_profile_string(profile, system.nodename);
        origin.os_release = prof_profile_string(profile, system.release);
        origin.architecture = prof_profile_string(profile, system.machine);
    }
    origin.command_line = prof_profile_string(profile, command_line);
    origin.period_ns = session->period_ns;
    origin.cpu_count = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
    *prof_profile_origin(profile) = origin;
}

static enum status begin(
    struct session *session, uint64_t period_ns, struct diag *diag)
{
    session->profile = prof_profile_create();
    session->symbolizer = open_symbolizer(NULL);
    if (session->profile == NULL || session->symbolizer == NULL)
        return fail(diag, STATUS_NO_MEMORY, "out of memory");
    session->period_ns = period_ns;
    prof_readings_init(&session->readings);
    prof_profile_origin(session->profile)->start_unix_ns =
        clock_now_ns(CLOCK_REALTIME);
    prof_profile_origin(session->profile)->start_ns =
        clock_now_ns(CLOCK_MONOTONIC);
    return STATUS_OK;
}

enum status session_begin(
    struct session *session, const struct prof_collector_options *options,
    struct diag *diag)
{
    enum status status = begin(session, options->period_ns, diag);
    if (status != STATUS_OK)
        return status;
    return prof_collector_create(
        &session->collector, session->profile, options, diag);
}

enum status session_begin_tap(
    struct session *session, const struct prof_tap_options *options,
    struct diag *diag)
{
    enum status status = begin(session, options->period_ns, diag);
    if (status != STATUS_OK)
        return status;
    return prof_tap_create(&session->tap, session->profile, options, diag);
}

enum status session_begin_stops(
    struct session *session, const struct prof_stops_options *options,
    struct diag *diag)
{
    enum status status = begin(session, options->period_ns, diag);
    if (status == STATUS_OK)
        status =
            prof_stops_create(&session->stops, session->profile, options, diag);
    if (status == STATUS_OK)
        session->period_ns = prof_stops_stats(session->stops).period_ns;
    return status;
}

int session_fd(const struct session *session)
{
    if (session->stops != NULL)
        return prof_stops_fd(session->stops);
    return session->tap != NULL ? prof_tap_fd(session->tap)
                                : prof_collector_fd(session->collector);
}

int session_wait_ms(const struct session *session)
{
    if (session->stops != NULL)
        return -1; /* it has a timer */
    return session->tap != NULL ? prof_tap_wait_ms(session->tap)
                                : prof_collector_wait_ms(session->collector);
}

int session_wait_until_ms(const struct session *session, uint64_t end_ns)
{
    int wait_ms = session_wait_ms(session);
    if (end_ns == 0)
        return wait_ms;
    uint64_t now = clock_now_ns(CLOCK_MONOTONIC);
    uint64_t left_ms = end_ns > now ? (end_ns - now) / 1000000 + 1 : 0;
    return wait_ms < 0 || (uint64_t)wait_ms > left_ms ? (int)left_ms : wait_ms;
}

void session_run(struct session *session)
{
    if (session->stops != NULL)
        prof_stops_run(session->stops);
    else if (session->tap != NULL)
        prof_tap_run(session->tap);
    else
        prof_collector_run(session->collector);
    session_sync(session);
}

void session_stop(struct session *session)
{
    if (session->stops != NULL)
        prof_stops_finish(session->stops);
    else if (session->tap != NULL)
        prof_tap_finish(session->tap);
    else
        prof_collector_finish(session->collector);
}

/* What drives the sampling, for a person; and how many it was driven in. */
static const char *clock_text(
    const struct session *session, uint32_t *processes)
{
    if (session->stops != NULL) {
        *processes = prof_stops_stats(session->stops).processes;
        return "ptrace stops from outside";
    }
    if (session->tap == NULL) {
        struct prof_collector_stats stats =
            prof_collector_stats(session->collector);
        *processes = stats.processes;
        return stats.held_ns > 0 ? "CPU-clock timers of an agent brought in"
                                 : prof_clock_mode_text(stats.mode);
    }
    struct prof_tap_stats stats = prof_tap_stats(session->tap);
    *processes = stats.processes;
    return stats.has_kernel ? "perf events from outside"
                            : "perf events from outside in user mode";
}

static const struct prof_kept_files *kept_files(const struct session *session)
{
    if (session->stops != NULL)
        return prof_stops_kept_files(session->stops);
    return session->tap != NULL ? prof_tap_kept_files(session->tap)
                                : prof_collector_kept_files(session->collector);
}

static void name_clock(struct session *session)
{
    struct prof_collector_stats stats = {.samples = 0};
    uint32_t processes;
    char text[1024];
    if (session->collector != NULL)
        stats = prof_collector_stats(session->collector);
    (void)snprintf(
        text, sizeof text, "%s%s%s", clock_text(session, &processes),
        stats.governed[0] ? "; " : "", stats.governed);
    prof_profile_origin(session->profile)->clock =
        prof_profile_string(session->profile, text);
}

/*
 * Memory is for what differs, not for what lasts. A recording whose disk is
 * full may fall behind for as long as the samples it lacks fit into 56 MiB. As
 * many keep their times for an output that shows them.
 */
static void sum_samples(struct session *session, bool is_in_step)
{
    struct prof_profile *profile = session->profile;
    bool threads_apart = session->outputs.options.with_threads;
    uint64_t singles =
        prof_profile_added_count(profile) - prof_profile_summed_count(profile);
    bool may_sum = is_in_step && !outputs_want_times(&session->outputs);
    if (singles >= SINGLES_MAX)
        prof_profile_sum_samples(profile, threads_apart);
    else if (may_sum && reporting_is_on(session->reporting))
        prof_profile_sum_samples_before(
            profile, reporting_needs_from(session->reporting), threads_apart);
    else if (may_sum && singles >= SUMMED_AT_ONCE)
        prof_profile_sum_samples(profile, threads_apart);
}

/*
 * Once a second, while reports take the readings along. For a file that is to
 * have them all they are taken ever less often: half an hour makes 1800 of
 * them, a day some 9000.
 */
static void take_reading(struct session *session)
{
    uint64_t every_ns = 1000000000, now_ns = clock_now_ns(CLOCK_MONOTONIC);
    uint64_t start_ns = prof_profile_read_origin(session->profile)->start_ns;
    bool is_reported =
        reporting_is_on(session->reporting) && session->reporting->is_profiling;
    if (!is_reported && !outputs_want_readings(&session->outputs))
        return;
    if (!is_reported && (now_ns - start_ns) / READINGS_KEPT > every_ns)
        every_ns = (now_ns - start_ns) / READINGS_KEPT;
    if (now_ns >= session->readings.latest_ns + every_ns)
        prof_readings_take(&session->readings, session->profile);
}

/* Where samples are wanted with transactions alone; see tracing.h. */
static void let_rest(struct session *session)
{
    struct prof_collector *collector = session->collector;
    if (collector == NULL || !tracing_may_rest(session->reporting))
        return;
    prof_collector_rest(collector);
    /* One may have started just now. */
    if (!tracing_may_rest(session->reporting))
        prof_collector_rouse(collector);
}

void session_sync(struct session *session)
{
    take_reading(session);
    if (reporting_is_on(session->reporting)) {
        reporting_tend(
            session->reporting, session->profile, kept_files(session));
        let_rest(session);
    }
    sum_samples(session, outputs_sync(&session->outputs, session->profile));
    uint32_t count = prof_profile_module_count(session->profile);
    while (session->foreseen < count &&
           foresee_module(
               session->profile, session->symbolizer, session->foreseen))
        session->foreseen++;
}

void session_settle(struct session *session)
{
    sym_symbolizer_destroy(session->symbolizer);
    session->symbolizer = NULL;
}

/* Say how long it took and what drove it, and look names up. */
static enum status complete(
    struct session *session, struct sym_symbolizer *symbolizer,
    struct diag *diag)
{
    prof_profile_origin(session->profile)->end_ns =
        clock_now_ns(CLOCK_MONOTONIC);
    name_clock(session);
    const struct symbolize_help help = {
        .kept = kept_files(session), .remark = session->remark};
    enum status status =
        symbolize_profile(session->profile, symbolizer, &help, diag);
    if (session->outputs.options.has_short_names)
        shorten_names(session->profile);
    return status;
}

void session_write_interim(struct session *session)
{
    /* The session's own has threads, which were not copied. */
    struct sym_symbolizer *symbolizer = open_symbolizer(NULL);
    if (symbolizer != NULL && complete(session, symbolizer, NULL) == STATUS_OK)
        outputs_write_interim(&session->outputs, session->profile);
}

size_t session_finish(
    struct session *session, uint64_t kernel_ns,
    void (*report)(void *context, const struct diag *diag), void *context)
{
    struct diag diag = {.status = STATUS_OK};
    if (session->tap != NULL)
        prof_tap_close_tree(session->tap, kernel_ns);
    else if (session->collector != NULL && kernel_ns > 0)
        prof_collector_close_tree(session->collector, kernel_ns);
    /* Without symbols the addresses still stand for themselves. */
    if (complete(session, session->symbolizer, &diag) != STATUS_OK)
        report(context, &diag);
    if (prof_profile_status(session->profile) != STATUS_OK) {
        (void)fail(&diag, STATUS_NO_MEMORY, "out of memory for the profile");
        report(context, &diag);
    }
    return outputs_finish(&session->outputs, session->profile, report, context);
}

void session_report_end(struct session *session, enum exp_session_status status)
{
    if (!reporting_is_on(session->reporting))
        return;
    session->reporting->readings = &session->readings;
    reporting_end(session->reporting, session->profile, status);
}

void session_say(void *context, const struct diag *diag)
{
    (void)context;
    say("%s", diag->text);
}

static size_t list_outputs(
    const struct outputs *outputs, char *text, size_t bytes)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < outputs->count && used < bytes; i++) {
        const struct output *output = &outputs->rows[i];
        if (output->failure.status != STATUS_OK)
            continue;
        int more = snprintf(
            text + used, bytes - used, "%s%s", used ? ", " : "; wrote ",
            output->path);
        used += more > 0 ? (size_t)more : 0;
    }
    return used;
}

void session_summarize(const struct session *session, char *text, size_t bytes)
{
    uint32_t processes;
    const char *clock = clock_text(session, &processes);
    struct exp_quality quality = exp_quality_of(session->profile);
    double all_s = (double)quality.sampled_ns / 1e9;
    double covered =
        quality.sampled_ns
            ? 100.0 * (double)(quality.sampled_ns - quality.account_ns) /
                  (double)quality.sampled_ns
            : 0;
    bool is_reported = reporting_is_on(session->reporting);
    char outputs[2048];
    (void)list_outputs(&session->outputs, outputs, sizeof outputs);
    (void)snprintf(
        text, bytes,
        "%" PRIu64 " samples of %" PRIu32 " process%s, %.3f s of CPU time, "
        "%.1f %% of it sampled, %" PRIu64
        " samples lost, by %s at %.0f Hz%s%s%s",
        quality.samples, processes, processes == 1 ? "" : "es", all_s, covered,
        quality.lost_samples, clock, 1e9 / (double)session->period_ns, outputs,
        is_reported ? "; reported to " : "",
        is_reported ? session->reporting->settings.dsn.host : "");
}

void session_give_up(struct session *session)
{
    session_settle(session);
    prof_collector_destroy(session->collector);
    prof_tap_destroy(session->tap);
    prof_stops_destroy(session->stops);
    prof_readings_fini(&session->readings);
    prof_profile_destroy(session->profile);
    session->collector = NULL;
    session->tap = NULL;
    session->stops = NULL;
    session->profile = NULL;
    session->foreseen = 0;
}

void session_end(struct session *session)
{
    session_settle(session);
    if (reporting_is_on(session->reporting))
        reporting_finish(session->reporting, NULL);
    outputs_abandon(&session->outputs);
    session_give_up(session);
}
