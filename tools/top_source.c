/* A tap or stops; see the header. */
#include "tools/top_source.h"

#include "profiler/tap/ways.h"

static enum status watch_with_events(
    struct top_source *source, const struct process_list *processes,
    struct diag *diag)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < processes->count && status == STATUS_OK; i++)
        status = prof_tap_watch(source->tap, processes->ids[i], diag);
    return status;
}

static enum status watch_with_stops(
    struct top_source *source, const struct process_list *processes,
    struct diag *diag)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < processes->count && status == STATUS_OK; i++)
        status = prof_stops_watch(source->stops, processes->ids[i], diag);
    return status;
}

/* PROF_WAYS: neither is open to all; then `diag` says why. */
static enum prof_way choose(
    const struct process_list *processes, struct diag *diag)
{
    enum prof_way way = PROF_WAY_PERF;
    for (uint32_t i = 0; i < processes->count; i++) {
        struct prof_ways ways;
        prof_ways_judge(processes->ids[i], &ways);
        if (ways.refusals[PROF_WAY_PERF].status == STATUS_OK)
            continue;
        *diag = ways.refusals[PROF_WAY_PERF];
        way = PROF_WAY_PTRACE;
        if (ways.refusals[PROF_WAY_PTRACE].status != STATUS_OK)
            return PROF_WAYS;
    }
    return way;
}

enum status top_source_begin(
    struct top_source *source, struct prof_profile *profile, uint64_t period_ns,
    const struct process_list *processes, struct diag *diag)
{
    const struct prof_tap_options events = {
        .period_ns = period_ns, .whom = PROF_TAP_TREE};
    const struct prof_stops_options stops = {.period_ns = period_ns};
    enum status status;
    switch (choose(processes, diag)) {
    case PROF_WAY_PERF:
        status = prof_tap_create(&source->tap, profile, &events, diag);
        return status == STATUS_OK ? watch_with_events(source, processes, diag)
                                   : status;
    case PROF_WAY_PTRACE:
        status = prof_stops_create(&source->stops, profile, &stops, diag);
        return status == STATUS_OK ? watch_with_stops(source, processes, diag)
                                   : status;
    default:
        return diag->status;
    }
}

void top_source_end(struct top_source *source)
{
    prof_tap_destroy(source->tap);
    prof_stops_destroy(source->stops);
}

int top_source_fd(const struct top_source *source)
{
    return source->stops != NULL ? prof_stops_fd(source->stops)
                                 : prof_tap_fd(source->tap);
}

int top_source_wait_ms(const struct top_source *source)
{
    return source->stops != NULL ? -1 : prof_tap_wait_ms(source->tap);
}

void top_source_run(struct top_source *source)
{
    if (source->stops != NULL)
        prof_stops_run(source->stops);
    else
        prof_tap_run(source->tap);
}

bool top_source_is_over(const struct top_source *source)
{
    return source->stops != NULL ? prof_stops_are_over(source->stops)
                                 : prof_tap_is_over(source->tap);
}

const char *top_source_remark(const struct top_source *source)
{
    if (source->stops != NULL)
        return ", by stopping its threads";
    return prof_tap_stats(source->tap).has_kernel
               ? ""
               : ", without time in the kernel";
}
