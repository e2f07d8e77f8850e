/*
 * watchfire collect: the collector of a program that was started with plain
 * LD_PRELOAD. The agent starts it (profiler/agent/shell_collector.c) with a
 * listening socket as descriptor 3; it is not meant for a command line.
 *
 * Settings come from the environment: WATCHFIRE_OUTPUT, a comma separated
 * list in which %p, %e and %t stand for pid, program and time;
 * WATCHFIRE_FREQUENCY, WATCHFIRE_EVENT, WATCHFIRE_DURATION,
 * WATCHFIRE_SNAPSHOT, WATCHFIRE_MAX_OVERHEAD, WATCHFIRE_UNWINDER,
 * WATCHFIRE_CRASHES, WATCHFIRE_EXITS; and those of sentry_settings.h. With
 * SENTRY_DSN and without WATCHFIRE_OUTPUT there is no file: the reports are the
 * output.
 */
#include "tools/tool.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "exporters/formats.h"
#include "profiler/base/clock.h"
#include "profiler/base/proc.h"
#include "tools/crash_reports.h"
#include "tools/interim.h"
#include "tools/limits.h"
#include "tools/pattern.h"
#include "tools/session.h"
#include "tools/tracing.h"

enum {
    SOCKET = 3,
    DEFAULT_HZ = 99, /* it may run for as long as the service does */
    FIRST_HELLO_MS = 10000,

    /* A process may end just before its child says HELLO. */
    GRACE_MS = 50,
};

/* What is lost at most when all is killed, at a thousandth of a processor. */
static const uint64_t default_snapshot_ns = UINT64_C(300) * 1000000000;

static const char default_output[] = "watchfire.%e.%p.svg";

struct collect {
    struct session session;
    struct reporting reporting;
    struct prof_collector_options options;
    struct interim interim;
    struct crash_reports crashes;
    uint64_t duration_ns;
    char paths[OUTPUTS_MAX][TOOL_TEXT_BYTES]; /* expanded */
    struct diag refusal;                      /* settings that are wrong */
    struct diag failure;                      /* the first one */
};

static void keep_failure(void *context, const struct diag *diag)
{
    struct collect *collect = context;
    if (collect->failure.status == STATUS_OK)
        collect->failure = *diag;
}

static enum status read_settings(struct collect *collect, struct diag *diag)
{
    const char *frequency = getenv("WATCHFIRE_FREQUENCY");
    const char *event = getenv("WATCHFIRE_EVENT");
    const char *duration = getenv("WATCHFIRE_DURATION");
    if (frequency && !parse_frequency(frequency, &collect->options.period_ns))
        return fail(
            diag, STATUS_USAGE,
            "WATCHFIRE_FREQUENCY=%s is not a rate from 1 to 20000 Hz",
            frequency);
    if (event && !session_parse_event(event, &collect->options.is_wall))
        return fail(
            diag, STATUS_USAGE,
            "WATCHFIRE_EVENT=%s is not an event: cpu or wall", event);
    if (duration && !parse_duration(duration, &collect->duration_ns))
        return fail(
            diag, STATUS_USAGE,
            "WATCHFIRE_DURATION=%s is not a time such as 10, 10s or 5m",
            duration);
    const char *snapshot = getenv("WATCHFIRE_SNAPSHOT");
    if (snapshot && strcmp(snapshot, "off") == 0)
        collect->interim.every_ns = 0;
    else if (snapshot && !parse_duration(snapshot, &collect->interim.every_ns))
        return fail(
            diag, STATUS_USAGE,
            "WATCHFIRE_SNAPSHOT=%s is neither a time such as 30s or 5m nor off",
            snapshot);
    const char *overhead = getenv("WATCHFIRE_MAX_OVERHEAD");
    if (overhead && !parse_overhead(overhead, &collect->options.max_overhead))
        return fail(
            diag, STATUS_USAGE,
            "WATCHFIRE_MAX_OVERHEAD=%s is not a share from 0.1 to 100 %%",
            overhead);
    const char *unwinder = getenv("WATCHFIRE_UNWINDER");
    if (unwinder &&
        !parse_unwinder(unwinder, &collect->options.is_reference_wanted))
        return fail(
            diag, STATUS_USAGE,
            "WATCHFIRE_UNWINDER=%s is neither cfi nor libunwind", unwinder);
    return STATUS_OK;
}

static bool is_off(const char *value)
{
    return value == NULL || strcmp(value, "0") == 0 ||
           strcmp(value, "off") == 0;
}

/* Crashes go to files of their own, which are named as outputs are. */
static void ask_for_crashes(struct collect *collect)
{
    struct prof_crash_options *options = &collect->options.crashes;
    const char *crashes = getenv("WATCHFIRE_CRASHES");
    bool is_named =
        !is_off(crashes) && *crashes != '\0' && strcmp(crashes, "1") != 0;
    options->are_exits_wanted = !is_off(getenv("WATCHFIRE_EXITS"));
    options->is_wanted = !is_off(crashes) || options->are_exits_wanted;
    if (options->is_wanted && !reporting_is_on(collect->session.reporting))
        collect->crashes.pattern = CRASH_REPORTS_PATTERN;
    if (is_named)
        collect->crashes.pattern = crashes;
    crash_reports_ask(&collect->crashes, &collect->session, &collect->options);
    if (crashes != NULL && is_off(crashes))
        options->is_wanted = false;
}

/* ---- outputs ---- */

/* Names whose format nobody knows are refused before anything is sampled. */
static enum status check_outputs(struct diag *diag)
{
    const struct exp_format *format;
    const char *list = getenv("WATCHFIRE_OUTPUT");
    for (list = list ? list : ""; *list != '\0';) {
        char path[TOOL_TEXT_BYTES];
        size_t length = strcspn(list, ",");
        (void)snprintf(path, sizeof path, "%.*s", (int)length, list);
        enum status status = exp_format_by_path(&format, path, diag);
        if (status != STATUS_OK)
            return status;
        list += length + (list[length] == ',');
    }
    return STATUS_OK;
}

static enum status begin_outputs(struct collect *collect, struct diag *diag)
{
    const char *list = getenv("WATCHFIRE_OUTPUT");
    if (list == NULL || *list == '\0')
        list = reporting_is_on(&collect->reporting) ? "" : default_output;
    for (size_t i = 0; *list != '\0'; i++) {
        size_t length = strcspn(list, ",");
        if (i == OUTPUTS_MAX)
            return fail(
                diag, STATUS_USAGE, "WATCHFIRE_OUTPUT names more than %d files",
                OUTPUTS_MAX);
        pattern_expand(
            list, length, collect->session.profile, 0, collect->paths[i],
            sizeof collect->paths[i]);
        enum status status = outputs_add(
            &collect->session.outputs, collect->paths[i], NULL, diag);
        if (status != STATUS_OK)
            return status;
        list += length + (list[length] == ',');
    }
    return outputs_begin(&collect->session.outputs, diag);
}

/* The first HELLO tells whose profile it is. */
static void begin_with_first_process(struct collect *collect)
{
    struct diag diag = {.status = STATUS_OK};
    const struct prof_process *process =
        prof_profile_process(collect->session.profile, 0);
    char command[TOOL_TEXT_BYTES];
    (void)snprintf(
        command, sizeof command, "%s",
        prof_profile_text(collect->session.profile, process->path));
    session_describe(&collect->session, command);
    if (begin_outputs(collect, &diag) != STATUS_OK) {
        keep_failure(collect, &diag);
        collect->session.outputs.count = 0;
    }
}

/* ---- running ---- */

/* Wait for what comes next, at most `wait_ms`, and take it. */
static void serve(struct collect *collect, int wait_ms)
{
    struct prof_collector *collector = collect->session.collector;
    struct pollfd wait = {.fd = prof_collector_fd(collector), .events = POLLIN};
    int own_ms = prof_collector_wait_ms(collector);
    if (own_ms >= 0 && own_ms < wait_ms)
        wait_ms = own_ms;
    (void)poll(&wait, 1, wait_ms);
    prof_collector_run(collector);
}

/* Whether the tree has ended: nobody is left, and nobody comes in the grace. */
static bool is_over(struct collect *collect)
{
    uint64_t end_ns =
        clock_now_ns(CLOCK_MONOTONIC) + GRACE_MS * UINT64_C(1000000);
    while (prof_collector_stats(collect->session.collector).live == 0) {
        if (prof_collector_is_deserted(collect->session.collector) ||
            clock_now_ns(CLOCK_MONOTONIC) >= end_ns)
            return true;
        serve(collect, GRACE_MS);
    }
    return false;
}

static void collect_until_end(struct collect *collect)
{
    uint64_t end_ns = collect->duration_ns
                          ? clock_now_ns(CLOCK_MONOTONIC) + collect->duration_ns
                          : UINT64_MAX;
    while (clock_now_ns(CLOCK_MONOTONIC) < end_ns && !is_over(collect)) {
        session_sync(&collect->session);
        if (collect->session.outputs.count > 0)
            interim_tend(&collect->interim, &collect->session);
        serve(collect, 1000);
    }
}

static bool wait_for_first_process(struct collect *collect)
{
    uint64_t end_ns =
        clock_now_ns(CLOCK_MONOTONIC) + FIRST_HELLO_MS * UINT64_C(1000000);
    struct prof_collector_stats stats = {0};
    while (clock_now_ns(CLOCK_MONOTONIC) < end_ns && stats.processes == 0 &&
           stats.refused == 0 && stats.failure.status == STATUS_OK) {
        serve(collect, 100);
        stats = prof_collector_stats(collect->session.collector);
    }
    return stats.processes > 0;
}

static bool has_outputs(void)
{
    const char *list = getenv("WATCHFIRE_OUTPUT");
    return list != NULL && *list != '\0';
}

/* Who was not drawn, and has no other use for samples, takes none. */
static enum status begin_reporting(struct collect *collect, struct diag *diag)
{
    struct reporting *reporting = &collect->reporting;
    enum status status = reporting_read(reporting, diag);
    if (status != STATUS_OK || !reporting_is_on(reporting))
        return status;
    collect->session.reporting = reporting;
    status = reporting_begin(reporting, diag);
    if (status != STATUS_OK)
        return status;
    tracing_begin(reporting, &collect->options.spans);
    if (!has_outputs())
        collect->options.wish =
            reporting_wish(reporting, &collect->options.is_wall);
    return STATUS_OK;
}

/* The end of PID 1 is that of all in its namespace, and in a container that of
   the spool as well: its exit waits until reports are sent, or time is over. */
static bool goes_with_program(const struct collect *collect)
{
    return prof_profile_process(collect->session.profile, 0)->pid == 1;
}

int collect_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    static struct collect collect;
    struct diag diag = {.status = STATUS_OK};
    collect.interim.every_ns = default_snapshot_ns;
    collect.options = (struct prof_collector_options){
        .period_ns = (1000000000 + DEFAULT_HZ / 2) / DEFAULT_HZ,
        .max_overhead = 0.01,
        .best_mode = PROF_CLOCK_PERF,
        .is_waited_for = true,
        .session = getenv("WATCHFIRE_SESSION"),
        .socket = SOCKET};
    if (collect.options.session == NULL)
        return say_usage("record", "collect is not for the command line");

    struct limits programs;
    limits_lift(&programs);
    proc_go_first();
    if (limits_check(&collect.refusal) != STATUS_OK ||
        read_settings(&collect, &collect.refusal) != STATUS_OK ||
        check_outputs(&collect.refusal) != STATUS_OK ||
        begin_reporting(&collect, &collect.refusal) != STATUS_OK)
        collect.options.refusal = collect.refusal.text;
    ask_for_crashes(&collect);
    if (session_begin(&collect.session, &collect.options, &diag) != STATUS_OK)
        return say_failure(&diag);
    if (!wait_for_first_process(&collect)) {
        reporting_finish(&collect.reporting, NULL);
        session_end(&collect.session);
        return EXIT_FAILED;
    }
    begin_with_first_process(&collect);
    collect_until_end(&collect);
    prof_collector_finish(collect.session.collector);
    interim_end(&collect.interim);
    (void)session_finish(&collect.session, 0, keep_failure, &collect);
    session_report_end(
        &collect.session,
        crash_reports_session_status(&collect.crashes, collect.crashes.status));
    if (goes_with_program(&collect))
        reporting_finish(&collect.reporting, NULL);
    prof_collector_release(
        collect.session.collector,
        collect.failure.status == STATUS_OK ? NULL : collect.failure.text);
    prof_collector_settle(collect.session.collector);
    reporting_finish(&collect.reporting, NULL);
    session_end(&collect.session);
    return collect.failure.status == STATUS_OK ? EXIT_DONE : EXIT_FAILED;
}
