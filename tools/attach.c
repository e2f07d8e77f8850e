/*
 * watchfire record -p: sample processes that run already, until they have
 * ended, the time is over, or a signal tells us to end. Either way the profile
 * is complete, and the exit status 0 unless an output failed, or one of several
 * processes could not be sampled.
 */
#include "tools/attach.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "exporters/quality.h"
#include "profiler/base/clock.h"
#include "tools/limits.h"
#include "tools/record_reports.h"
#include "tools/tool.h"
#include "tools/way.h"

/* So small a part of the CPU time needs no words. */
enum { UNSAMPLED_MENTIONED = 20, HIDDEN_MENTIONED = 4 };

enum status record_prepare_outputs(
    struct record_options *options, struct session *session, struct diag *diag)
{
    session->outputs.options = options->output;
    session->outputs.options.scope = &options->reporting.settings.scope;
    if (options->path_count == 0 && !reporting_is_on(session->reporting))
        options->paths[options->path_count++] = "watchfire.data";
    for (size_t i = 0; i < options->path_count; i++) {
        enum status status = outputs_add(
            &session->outputs, options->paths[i], options->format_name, diag);
        if (status != STATUS_OK)
            return status;
    }
    return outputs_begin(&session->outputs, diag);
}

static void say_no_sample(const struct session *session)
{
    enum prof_wish wish = session->reporting != NULL ? session->reporting->wish
                                                     : PROF_SAMPLES_ALWAYS;
    if (wish == PROF_SAMPLES_NEVER)
        say("no sample was taken: this run was not drawn, and there is no -o "
            "(SENTRY_PROFILE_SESSION_SAMPLE_RATE)");
    else if (wish == PROF_SAMPLES_BY_SPAN)
        say("no sample was taken: no transaction was active for long, and "
            "there is no -o (SENTRY_PROFILE_LIFECYCLE=trace)");
    else
        say("no sample was taken: no thread used a whole period of %.3f ms",
            (double)session->period_ns / 1e6);
}

void say_collector_remarks(const struct session *session)
{
    struct prof_collector_stats stats =
        prof_collector_stats(session->collector);
    const struct prof_profile *profile = session->profile;
    for (uint32_t i = 0; i < prof_profile_note_count(profile); i++)
        say("%s",
            prof_profile_text(profile, prof_profile_note(profile, i)->text));
    if (stats.governed[0] != '\0')
        say("%s", stats.governed);
    if (stats.held_ns > 0)
        say("one of its threads was held for %.2f ms to bring the agent in",
            (double)stats.held_ns / 1e6);
    if (stats.processes > 0 && stats.samples == 0)
        say_no_sample(session);
}

/* What the account has beside samples, and by what, where it is much. */
static void say_unsampled(
    const struct session *session, const struct prof_tap_stats *stats)
{
    struct exp_quality quality = exp_quality_of(session->profile);
    if (!stats->has_kernel ||
        quality.account_ns <= quality.sampled_ns / UNSAMPLED_MENTIONED)
        return;
    double percent =
        100.0 * (double)quality.account_ns / (double)quality.sampled_ns;
    if (stats->unwatched > 0)
        return; /* that is why */
    if (stats->unseen_ns > quality.account_ns / 2)
        say("%.0f %% of the CPU time is [unsampled]: it passed while threads "
            "were switched, which no perf event sees",
            percent);
    else if (quality.lost_samples * session->period_ns > quality.account_ns / 2)
        say("%.0f %% of the CPU time is [unsampled]: this system is too busy "
            "for all samples to be taken out in time; a lower -F has less",
            percent);
    else
        say("%.0f %% of the CPU time is [unsampled]: that of threads which "
            "used less than a period each, of whom a higher -F sees more, or "
            "of timers set for less than a period, which no other timer sees",
            percent);
}

static void say_unless_ok(const struct diag *diag)
{
    if (diag->status != STATUS_OK)
        say("%s", diag->text);
}

void say_tap_remarks(const struct session *session)
{
    struct prof_tap_stats stats = prof_tap_stats(session->tap);
    say_unless_ok(&stats.refusal);
    say_unless_ok(&stats.sleep_refusal);
    if (stats.unwatched > 0)
        say("%" PRIu32 " threads are not watched, and their time is "
            "[unsampled]: %s",
            stats.unwatched, stats.shortage.text);
    if (stats.samples == 0)
        say_no_sample(session);
    else
        say_unsampled(session, &stats);
}

/* Of a process that runs already another way sees the kernel's time. */
static void say_what_user_mode_misses(const struct session *session)
{
    struct exp_quality quality = exp_quality_of(session->profile);
    if (!prof_tap_stats(session->tap).has_kernel &&
        quality.account_ns > quality.sampled_ns / HIDDEN_MENTIONED)
        say("that is %.0f %% of the CPU time; --via inject would sample it, by "
            "an agent that is brought into the process",
            100.0 * (double)quality.account_ns / (double)quality.sampled_ns);
}

/* What so many of a hundred were shorter than, to a step. */
static uint64_t stops_shorter_ns(
    const struct prof_stops_stats *stats, unsigned percent)
{
    uint64_t count = 0;
    uint32_t step = 0;
    for (; step < PROF_STOPS_STEPS; step++) {
        count += stats->lengths[step];
        if (count * 100 >= stats->stops * percent)
            break;
    }
    uint64_t shorter_ns = (step + 1) * PROF_STOPS_STEP_NS;
    return shorter_ns < stats->longest_ns ? shorter_ns : stats->longest_ns;
}

static void say_stops_remarks(const struct session *session)
{
    struct prof_stops_stats stats = prof_stops_stats(session->stops);
    say_unless_ok(&stats.refusal);
    say_unless_ok(&stats.sleep_refusal);
    if (stats.stops > 0)
        say("its threads were stopped %" PRIu64 " times, half of them for less "
            "than %.2f ms, 99 %% for less than %.2f, the longest for %.3f",
            stats.stops, (double)stops_shorter_ns(&stats, 50) / 1e6,
            (double)stops_shorter_ns(&stats, 99) / 1e6,
            (double)stats.longest_ns / 1e6);
    if (stats.samples == 0)
        say_no_sample(session);
}

static void say_remarks(const struct session *session)
{
    if (session->stops != NULL)
        say_stops_remarks(session);
    else if (session->tap != NULL) {
        say_tap_remarks(session);
        say_what_user_mode_misses(session);
    } else
        say_collector_remarks(session);
}

static bool is_over(const struct session *session)
{
    if (session->stops != NULL)
        return prof_stops_are_over(session->stops);
    return session->tap != NULL
               ? prof_tap_is_over(session->tap)
               : prof_collector_stats(session->collector).live == 0;
}

/* In the place of a command line, those of the processes. */
static void describe(struct session *session)
{
    const struct prof_profile *profile = session->profile;
    char text[TOOL_TEXT_BYTES] = "";
    if (prof_profile_process_count(profile) > 0) {
        const struct prof_process *first = prof_profile_process(profile, 0);
        (void)snprintf(
            text, sizeof text, "%s (process %" PRIu32 ")",
            prof_profile_text(profile, first->path), first->pid);
    }
    session_describe(session, text);
}

/* ---- running ---- */

static void run_until_end(
    struct session *session, uint64_t duration_ns, int signals)
{
    uint64_t end_ns =
        duration_ns ? clock_now_ns(CLOCK_MONOTONIC) + duration_ns : 0;
    struct pollfd waits[] = {
        {.fd = session_fd(session), .events = POLLIN},
        {.fd = signals, .events = POLLIN}};
    while (!is_over(session) &&
           (end_ns == 0 || clock_now_ns(CLOCK_MONOTONIC) < end_ns)) {
        (void)poll(waits, 2, session_wait_until_ms(session, end_ns));
        session_run(session);
        if (waits[1].revents != 0)
            break;
    }
}

static int run_session(
    const struct record_options *options, struct session *session, int signals)
{
    struct diag diag = {.status = STATUS_OK};
    char line[3000];
    if (way_begin(options, session, &diag) != STATUS_OK)
        return say_failure(&diag);
    describe(session);
    run_until_end(session, options->duration_ns, signals);
    session_stop(session);
    size_t failed = session_finish(session, 0, session_say, NULL);
    session_report_end(session, EXP_SESSION_EXITED);
    say_remarks(session);
    session_summarize(session, line, sizeof line);
    say("%s", line);
    record_finish_reports(session);
    session_settle(session);
    return failed > 0 || session->refused_count > 0 ? EXIT_FAILED : EXIT_DONE;
}

int attach_record(struct record_options *options)
{
    static struct session session;
    struct diag diag = {.status = STATUS_OK};
    session.remark = say_text;
    struct limits inherited;
    limits_lift(&inherited);
    int signals = take_ending_signals();
    int exit_status;
    record_begin_reports(options, &session);
    if (record_prepare_outputs(options, &session, &diag) != STATUS_OK)
        exit_status = say_failure(&diag);
    else
        exit_status = run_session(options, &session, signals);
    session_end(&session);
    if (signals >= 0)
        (void)close(signals);
    return exit_status;
}
