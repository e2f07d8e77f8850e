/* How a process that runs is sampled; see the header. */
#include "tools/way.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "profiler/collector/process_files.h"
#include "tools/tool.h"

/* ---- begin ---- */

static enum status begin(
    const struct record_options *options, struct session *session,
    enum prof_way way, struct diag *diag)
{
    bool is_by_thread = options->threads.count > 0;
    struct prof_collector_options agent = options->collector;
    agent.best_mode = PROF_CLOCK_TIMER;
    const struct prof_tap_options outside = {
        .period_ns = agent.period_ns,
        .whom = is_by_thread ? PROF_TAP_THREADS : PROF_TAP_TREE,
        .is_wall = agent.is_wall};
    const struct prof_stops_options stopping = {
        .period_ns = agent.period_ns,
        .is_by_thread = is_by_thread,
        .is_wall = agent.is_wall};
    switch (way) {
    case PROF_WAY_INJECT:
        return session_begin(session, &agent, diag);
    case PROF_WAY_PTRACE:
        return session_begin_stops(session, &stopping, diag);
    default:
        return session_begin_tap(session, &outside, diag);
    }
}

/* Every thread belongs to a process: all that are named to one. */
static enum status find_owner(
    const struct record_options *options, uint32_t *owner, struct diag *diag)
{
    *owner = options->processes.count > 0 ? options->processes.ids[0] : 0;
    for (uint32_t i = 0; i < options->threads.count; i++) {
        uint32_t tid = options->threads.ids[i];
        uint32_t pid = prof_process_files_status(tid, "Tgid");
        if (pid == 0)
            return fail(diag, STATUS_USAGE, "there is no thread %" PRIu32, tid);
        if (*owner != 0 && *owner != pid)
            return fail(
                diag, STATUS_USAGE,
                "thread %" PRIu32 " belongs to process %" PRIu32
                ", not to %" PRIu32,
                tid, pid, *owner);
        *owner = pid;
    }
    return STATUS_OK;
}

/* Where no way was asked for, there may be one for all of them. */
static bool may_be_partial(const struct record_options *options)
{
    return options->via == PROF_WAY_INJECT && options->processes.count > 1;
}

static enum status watch_process(
    const struct session *session, uint32_t pid, struct diag *diag)
{
    if (session->collector != NULL)
        return prof_collector_inject(session->collector, pid, NULL, 0, diag);
    return session->stops != NULL ? prof_stops_watch(session->stops, pid, diag)
                                  : prof_tap_watch(session->tap, pid, diag);
}

static enum status watch_threads(
    const struct record_options *options, const struct session *session,
    struct diag *diag)
{
    const struct process_list *threads = &options->threads;
    uint32_t pid;
    enum status status = find_owner(options, &pid, diag);
    if (status == STATUS_OK && session->collector != NULL)
        return prof_collector_inject(
            session->collector, pid, threads->ids, threads->count, diag);
    for (uint32_t i = 0; i < threads->count && status == STATUS_OK; i++) {
        uint32_t tid = threads->ids[i];
        status = session->stops != NULL
                     ? prof_stops_watch_thread(session->stops, pid, tid, diag)
                     : prof_tap_watch_thread(session->tap, pid, tid, diag);
    }
    return status;
}

/*
 * No agent comes into a process that has no safe moment, or that is stopped:
 * that is no reason not to sample the others. What refused it is a note, unless
 * it was all of them: then the first one's is the reason.
 */
static enum status watch_processes(
    const struct record_options *options, struct session *session,
    struct diag *diag)
{
    const struct process_list *processes = &options->processes;
    struct diag first = {.status = STATUS_OK};
    for (uint32_t i = 0; i < processes->count; i++) {
        enum status status = watch_process(session, processes->ids[i], diag);
        if (status == STATUS_OK)
            continue;
        if (!may_be_partial(options))
            return status;
        prof_profile_add_note(session->profile, diag->text);
        if (session->refused_count++ == 0)
            first = *diag;
    }
    if (session->refused_count < processes->count)
        return STATUS_OK;
    *diag = first;
    return diag->status;
}

static enum status try(
    const struct record_options *options, struct session *session,
    enum prof_way way, struct diag *diag)
{
    enum status status = begin(options, session, way, diag);
    if (status == STATUS_OK && options->threads.count > 0)
        return watch_threads(options, session, diag);
    return status == STATUS_OK ? watch_processes(options, session, diag)
                               : status;
}

/* ---- judge ---- */

/* Why each way is closed to all of the processes together. */
struct judgement {
    struct diag refusals[PROF_WAYS];
};

static enum status judge_process(
    struct judgement *judgement, uint32_t pid, struct diag *diag)
{
    struct prof_ways ways;
    prof_ways_judge(pid, &ways);
    if (ways.reach.status != STATUS_OK) {
        *diag = ways.reach;
        return diag->status;
    }
    for (enum prof_way way = 0; way < PROF_WAYS; way++) {
        if (judgement->refusals[way].status == STATUS_OK)
            judgement->refusals[way] = ways.refusals[way];
    }
    return STATUS_OK;
}

static enum status judge(
    const struct record_options *options, struct judgement *judgement,
    struct diag *diag)
{
    uint32_t owner;
    enum status status = find_owner(options, &owner, diag);
    *judgement = (struct judgement){0};
    if (options->threads.count > 0)
        return status == STATUS_OK ? judge_process(judgement, owner, diag)
                                   : status;
    for (uint32_t i = 0; i < options->processes.count && status == STATUS_OK;
         i++)
        status = judge_process(judgement, options->processes.ids[i], diag);
    return status;
}

/* ---- choose ---- */

static enum status refuse(const struct judgement *judgement, struct diag *diag)
{
    for (enum prof_way way = 0; way < PROF_WAYS; way++)
        say("--via %s: %s", prof_way_name(way), judgement->refusals[way].text);
    return fail(
        diag, STATUS_NOT_PERMITTED,
        "no way to sample it is open; 'watchfire doctor -p PID' tells which "
        "are, and why the others are not");
}

enum status way_begin(
    const struct record_options *options, struct session *session,
    struct diag *diag)
{
    struct judgement judgement;
    enum status status = judge(options, &judgement, diag);
    if (status != STATUS_OK)
        return status;
    if (may_be_partial(options))
        return try(options, session, options->via, diag);
    if (options->via != PROF_WAYS) {
        *diag = judgement.refusals[options->via];
        return diag->status != STATUS_OK
                   ? diag->status
                   : try(options, session, options->via, diag);
    }
    for (enum prof_way way = 0; way < PROF_WAYS; way++) {
        struct diag *refusal = &judgement.refusals[way];
        if (refusal->status != STATUS_OK)
            continue;
        if (try(options, session, way, refusal) == STATUS_OK)
            return STATUS_OK;
        session_give_up(session);
    }
    return refuse(&judgement, diag);
}
