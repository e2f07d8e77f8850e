/* What `record` reports to a Sentry backend. */
#include "tools/record_reports.h"

#include <signal.h>
#include <sys/wait.h>

#include "profiler/model/crash.h"
#include "tools/tool.h"
#include "tools/tracing.h"

enum { REPORTED_HZ = 99, UNDRAWN_HZ = 1 };

static enum status read_options(
    struct record_options *options, struct diag *diag)
{
    struct exp_scope *scope = &options->reporting.settings.scope;
    enum status status = reporting_read(&options->reporting, diag);
    for (size_t i = 0; i < options->tag_count && status == STATUS_OK; i++)
        status = sentry_settings_add_tags(scope, options->tags[i], diag);
    if (options->in_app != NULL)
        scope->in_app = options->in_app;
    return status;
}

/* Without our library in it, a program can tell us nothing. */
static bool is_from_outside(const struct record_options *options)
{
    return options->via == PROF_WAY_PERF ||
           options->processes.count + options->threads.count > 0;
}

static void heed_no_spans(struct reporting *reporting)
{
    if (!reporting->tracing.is_by_trace)
        return;
    reporting->tracing.is_by_trace = false;
    say("SENTRY_PROFILE_LIFECYCLE=trace: transactions are not seen from "
        "outside, so profiles are of the whole time");
}

void record_begin_reports(
    struct record_options *options, struct session *session)
{
    struct reporting *reporting = &options->reporting;
    struct diag diag = {.status = STATUS_OK};
    if (read_options(options, &diag) != STATUS_OK ||
        (reporting_is_on(reporting) &&
         reporting_begin(reporting, &diag) != STATUS_OK)) {
        say("%s", diag.text);
        return;
    }
    if (!reporting_is_on(reporting))
        return;
    if (diag.text[0] != '\0')
        say("%s", diag.text);
    session->reporting = reporting;
    tracing_begin(reporting, &options->collector.spans);
    if (is_from_outside(options))
        heed_no_spans(reporting);
    else if (options->path_count == 0)
        options->collector.wish =
            reporting_wish(reporting, &options->collector.is_wall);
    bool is_idle = !reporting->is_profiling && options->path_count == 0;
    if (!options->has_rate)
        options->collector.period_ns =
            1000000000 / (is_idle ? UNDRAWN_HZ : REPORTED_HZ);
}

enum exp_session_status record_session_status(int wait_status)
{
    if (!WIFSIGNALED(wait_status))
        return EXP_SESSION_EXITED;
    int ended_by = WTERMSIG(wait_status);
    if (prof_signal_is_crash(ended_by))
        return EXP_SESSION_CRASHED;
    return ended_by == SIGKILL ? EXP_SESSION_ABNORMAL
                               : EXP_SESSION_EXITED; /* it was asked to end */
}

void record_note_exit(struct session *session, int wait_status)
{
    if (!reporting_is_on(session->reporting))
        return;
    struct tracing *tracing = &session->reporting->tracing;
    tracing->is_exit_known = true;
    tracing->exit_code = WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status)
                                                  : WEXITSTATUS(wait_status);
}

void record_finish_reports(struct session *session)
{
    struct diag problem;
    if (!reporting_is_on(session->reporting))
        return;
    reporting_finish(session->reporting, &problem);
    if (problem.status != STATUS_OK)
        say("%s", problem.text);
}
