/* The transactions that a session reports. */
#include "tools/tracing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exporters/sentry/envelope.h"
#include "exporters/text.h"
#include "profiler/base/clock.h"
#include "tools/chunk_batches.h"

/* Of watchfire.h. */
enum { TRACE_OK = 0, TRACE_UNKNOWN = 2, TRACE_INTERNAL_ERROR = 13 };

/* From the end of the last transaction until sampling rests. */
static const uint64_t linger_ns = UINT64_C(200) * 1000000;

static void count(
    struct reporting *reporting, enum exp_discard reason, uint64_t quantity)
{
    struct exp_discards lost = {0};
    lost.counts[reason][EXP_CATEGORY_TRANSACTION] = quantity;
    lost.counts[reason][EXP_CATEGORY_SPAN] = quantity; /* its own, at least */
    if (quantity > 0)
        exp_spool_count_discards(reporting->spool, &lost);
}

/* `profiler_id` NULL: no profile belongs to it. */
static void report_with(
    struct reporting *reporting, const struct exp_transaction *transaction,
    const char *profiler_id)
{
    const struct sentry_settings *settings = &reporting->settings;
    const char *release = reporting->health.release != NULL
                              ? reporting->health.release
                              : settings->scope.release;
    const struct exp_trace_setting setting = {
        .scope = &settings->scope,
        .release = release != NULL ? release : "",
        .public_key = settings->dsn.public_key,
        .profiler_id = reporting->is_profiling ? profiler_id : NULL,
        .unix_offset_ns =
            clock_now_ns(CLOCK_REALTIME) - clock_now_ns(CLOCK_MONOTONIC)};
    struct exp_envelope *envelope =
        exp_transaction_envelope(transaction, &setting);
    if (envelope != NULL)
        exp_keeper_adopt(reporting->tracing.keeper, envelope);
    else
        count(reporting, EXP_DISCARD_INTERNAL_SDK_ERROR, 1);
}

static void report(void *owner, const struct exp_transaction *transaction)
{
    struct reporting *reporting = owner;
    report_with(reporting, transaction, reporting->profiler_id);
}

static void take(void *owner, const struct prof_span *span)
{
    struct reporting *reporting = owner;
    exp_traces_take(reporting->tracing.traces, span);
}

static void count_unsampled(void *owner, uint32_t transactions)
{
    count(owner, EXP_DISCARD_SAMPLE_RATE, transactions);
}

void tracing_begin(
    struct reporting *reporting, struct prof_span_options *options)
{
    struct tracing *tracing = &reporting->tracing;
    const struct sentry_settings *settings = &reporting->settings;
    tracing->is_process_drawn = sentry_settings_draw(settings->trace_rate);
    tracing->is_by_trace = settings->is_by_trace;
    tracing->keeper = exp_keeper_start(reporting->spool, reporting->sender);
    if (tracing->keeper == NULL)
        return;
    tracing->traces = exp_traces_create(report, reporting);
    if (tracing->traces == NULL)
        return;
    *options = (struct prof_span_options){
        .take = take, .count_unsampled = count_unsampled, .owner = reporting};
}

void tracing_tend(struct reporting *reporting)
{
    struct tracing *tracing = &reporting->tracing;
    if (tracing->traces == NULL)
        return;
    uint64_t lost = exp_traces_lost(tracing->traces);
    count(reporting, EXP_DISCARD_QUEUE_OVERFLOW, lost - tracing->lost);
    tracing->lost = lost;
}

/* The next time is a profiler's of its own; until then, nothing is kept. */
static void close_profile(
    struct reporting *reporting, struct prof_profile *profile, uint64_t now_ns)
{
    if (reporting->tracing.is_open)
        (void)exp_id_make(reporting->profiler_id);
    reporting->tracing.is_open = reporting->tracing.is_flushing = false;
    chunk_batches_pass_over(&reporting->batches, profile);
    prof_profile_forget_readings(profile, now_ns);
}

bool tracing_wants_profile(
    struct reporting *reporting, struct prof_profile *profile, uint64_t now_ns)
{
    struct tracing *tracing = &reporting->tracing;
    if (!tracing->is_by_trace || tracing->traces == NULL)
        return true;
    uint64_t begun = exp_traces_begun(tracing->traces);
    bool is_active =
        exp_traces_open_count(tracing->traces) > 0 || begun != tracing->begun;
    tracing->begun = begun;
    if (is_active) {
        tracing->active_ns = now_ns;
        tracing->is_open = true;
        tracing->is_flushing = false;
        return true;
    }
    bool is_writing = chunk_batches_are_in_work(&reporting->batches);
    if (!tracing->is_open || (tracing->is_flushing && !is_writing)) {
        close_profile(reporting, profile, now_ns);
        return false;
    }
    /* The last one has ended: what there is goes out at once. */
    if (!tracing->is_flushing && !is_writing) {
        reporting->batches.due_ns = now_ns;
        tracing->is_flushing = true;
    }
    return true;
}

bool tracing_may_rest(const struct reporting *reporting)
{
    const struct tracing *tracing = &reporting->tracing;
    return tracing->is_by_trace && tracing->traces != NULL &&
           exp_traces_open_count(tracing->traces) == 0 &&
           exp_traces_begun(tracing->traces) == tracing->begun &&
           clock_now_ns(CLOCK_MONOTONIC) > tracing->active_ns + linger_ns;
}

bool tracing_has_profile(const struct reporting *reporting)
{
    const struct tracing *tracing = &reporting->tracing;
    return !tracing->is_by_trace || tracing->traces == NULL ||
           tracing->is_open ||
           exp_traces_begun(tracing->traces) != tracing->begun;
}

/* What it had at most, with what it started, as far as that was read; and what
   it used, unless only parts of that were seen. */
static void measure(
    const struct reporting *reporting, const struct prof_profile *profile,
    struct exp_transaction *whole)
{
    const struct prof_readings *readings = reporting->readings;
    uint64_t cpu_ns = prof_profile_read_origin(profile)->cpu_ns;
    bool is_known = cpu_ns != 0; /* by the kernel, of the whole tree */
    for (uint32_t i = 0; i < prof_profile_process_count(profile) && !is_known;
         i++)
        cpu_ns += prof_profile_process(profile, i)->cpu_ns;
    if (reporting->wish == PROF_SAMPLES_ALWAYS)
        whole->measures[whole->measure_count++] =
            (struct exp_measure){"cpu_time", "second", (double)cpu_ns / 1e9};
    if (readings == NULL || readings->most_threads == 0)
        return;
    whole->measures[whole->measure_count++] = (struct exp_measure){
        "memory_footprint", "byte", (double)readings->most_resident_bytes};
    whole->measures[whole->measure_count++] = (struct exp_measure){
        "thread_count", "none", (double)readings->most_threads};
}

/* The first process's run, from its start until now. */
static void report_process(
    struct reporting *reporting, const struct prof_profile *profile,
    bool has_crashed)
{
    const struct tracing *tracing = &reporting->tracing;
    if (prof_profile_process_count(profile) == 0)
        return;
    const struct prof_process *process = prof_profile_process(profile, 0);
    uint32_t status = TRACE_UNKNOWN;
    if (tracing->is_exit_known)
        status = tracing->exit_code == 0 ? TRACE_OK : TRACE_INTERNAL_ERROR;
    else if (has_crashed)
        status = TRACE_INTERNAL_ERROR;
    char id[EXP_SPAN_ID_BYTES], trace[2][EXP_SPAN_ID_BYTES];
    struct exp_transaction whole = {
        .trace =
            {strtoull(exp_id_make_span(trace[0]), NULL, 16),
             strtoull(exp_id_make_span(trace[1]), NULL, 16)},
        .pid = process->pid,
        .part = {
            .id = strtoull(exp_id_make_span(id), NULL, 16),
            .tid = process->pid,
            .status = status,
            .is_over = true,
            .start_ns = process->start_ns,
            .end_ns = clock_now_ns(CLOCK_MONOTONIC),
            .op = "process"}};
    struct exp_tag code = {.key = "process.exit_code"};
    (void)snprintf(
        whole.part.name, sizeof whole.part.name, "%.*s",
        EXP_TRACE_TEXT_BYTES - 1,
        exp_text_base_name(prof_profile_text(profile, process->name)));
    whole.spans.row_bytes = sizeof(struct exp_trace_part);
    whole.tags.row_bytes = sizeof code;
    if (tracing->is_exit_known) {
        (void)snprintf(code.value, sizeof code.value, "%d", tracing->exit_code);
        (void)table_add(&whole.tags, &code);
    }
    measure(reporting, profile, &whole);
    /* Of several profilers that there were meanwhile none is its own. */
    report_with(
        reporting, &whole,
        tracing->is_by_trace ? NULL : reporting->profiler_id);
    table_fini(&whole.tags);
}

void tracing_end(
    struct reporting *reporting, const struct prof_profile *profile,
    bool has_crashed)
{
    struct tracing *tracing = &reporting->tracing;
    if (tracing->traces != NULL) {
        exp_traces_end(tracing->traces, clock_now_ns(CLOCK_MONOTONIC));
        tracing_tend(reporting);
        if (tracing->is_process_drawn)
            report_process(reporting, profile, has_crashed);
    }
    exp_keeper_finish(tracing->keeper);
    exp_traces_destroy(tracing->traces);
    *tracing = (struct tracing){.traces = NULL};
}
