/* What agents say, and what they are told. */
#include <stdio.h>
#include <unistd.h>

#include "profiler/base/clock.h"
#include "profiler/collector/children.h"
#include "profiler/collector/collector_model.h"
#include "profiler/collector/process_files.h"
#include "profiler/collector/target_drain.h"
#include "profiler/wire/version.h"

static void refuse(struct wire_reply *reply, const char *reason)
{
    reply->status = 1;
    (void)snprintf(reply->text, sizeof reply->text, "%.255s", reason);
}

static void answer_hello(
    struct prof_collector *collector, const struct prof_request *hello)
{
    struct wire_reply reply = prof_collector_reply(collector);
    if (collector->refusal != NULL) {
        refuse(&reply, collector->refusal);
        collector->stats.refused++;
        prof_listener_answer(hello->connection, &reply);
        return;
    }
    struct diag diag = {
        .status = STATUS_MALFORMED, .text = "no segment came along"};
    struct prof_target **earlier = prof_collector_find(collector, hello->pid);
    (void)prof_strays_drop(&collector->strays, hello->pid);
    /* The same pid says HELLO again: it has exec'ed, or was taken anew. */
    if (*earlier != NULL)
        (*earlier)->is_replaced = true;

    struct prof_target *target =
        hello->fd < 0 ? NULL
                      : prof_target_open(
                            &collector->common, hello->pid, hello->message.pid,
                            hello->fd, *earlier, &diag);
    if (target != NULL)
        prof_target_begin_looks(target, *earlier != NULL);
    if (*earlier != NULL)
        prof_collector_remove(collector, earlier);

    if (target == NULL) {
        refuse(&reply, diag.text);
        if (collector->stats.failure.status == STATUS_OK)
            collector->stats.failure = diag;
    } else {
        bool is_sampled = !target->standing.is_traced &&
                          collector->common.wish != PROF_SAMPLES_NEVER;
        if (target->mode != PROF_CLOCK_PERF && is_sampled)
            reply.actions |= WIRE_ARM_TIMERS;
        if (collector->is_reference_wanted)
            reply.actions |= WIRE_REFERENCE_ENGINE;
        if (target->mode == PROF_CLOCK_PERF && is_sampled)
            reply.actions |= WIRE_DISARM_FOR_EXEC | WIRE_ARM_BRIEF;
        if (collector->common.spans.take != NULL)
            reply.actions |= WIRE_TAKE_SPANS;
        if (collector->crashes.options.is_wanted) {
            reply.actions |= WIRE_CATCH_CRASHES;
            prof_oom_begin(&target->oom, target->pid);
        }
        prof_collector_add(collector, target);
        /* The tree goes on: whoever seemed to be its last one need not wait, as
           the parent of a daemon, which leaves before that has said a word. */
        prof_collector_release(collector, NULL);
    }
    prof_listener_answer_with(
        hello->connection, &reply, prof_tables_fd(collector->common.tables));
}

static void answer_exec(
    struct prof_collector *collector, const struct prof_request *request)
{
    struct prof_target *target = *prof_collector_find(collector, request->pid);
    struct wire_reply reply = prof_collector_reply(collector);
    if (request->message.type == WIRE_EXEC_FAILED) {
        (void)prof_strays_drop(&collector->strays, request->pid);
        if (target != NULL)
            target->until_ns = 0;
    }
    if (target == NULL) {
        refuse(&reply, "not being sampled");
    } else if (request->message.type == WIRE_EXEC) {
        target->is_execing = true;
        prof_perf_clock_pause(&target->clock);
        /* The image is still there to be asked what its addresses are. */
        (void)prof_target_drain(target);
    } else {
        target->is_execing = false;
        prof_target_resume(target);
    }
    prof_listener_answer(request->connection, &reply);
}

/*
 * The last process of the tree waits until outputs are written: it is drained
 * and closed now, while it is still there.
 */
static void answer_bye(
    struct prof_collector *collector, const struct prof_request *bye)
{
    struct prof_target **at = prof_collector_find(collector, bye->pid);
    collector->is_deserted =
        collector->stats.processes == 1 && !prof_has_children(bye->pid);
    if (*at != NULL) {
        prof_crashes_note_exit(&collector->crashes, *at);
        prof_collector_remove(collector, at);
    }
    if (collector->targets == NULL && collector->leaving_count < LEAVING_MAX) {
        collector->leaving[collector->leaving_count++] = bye->connection;
        return;
    }
    struct wire_reply reply = prof_collector_reply(collector);
    prof_listener_answer(bye->connection, &reply);
}

/* Of itself anybody may tell this, of another process only its parent. */
static void answer_unseen(
    struct prof_collector *collector, const struct prof_request *request)
{
    struct wire_reply reply = prof_collector_reply(collector);
    struct prof_stray_news news;
    if (prof_strays_read(request->message.text, &news) &&
        (news.pid == 0 ||
         prof_process_files_status(news.pid, "PPid") == request->pid)) {
        uint32_t pid = news.pid != 0 ? news.pid : request->pid;
        struct prof_target *target = *prof_collector_find(collector, pid);
        uint64_t now_ns = prof_strays_add(&collector->strays, pid, &news);
        if (target != NULL)
            target->until_ns = now_ns;
    }
    prof_listener_answer(request->connection, &reply);
}

/*
 * It waits for the answer. In which segment it wrote depends on whether it has
 * one of its own.
 */
static void answer_crashed(
    struct prof_collector *collector, const struct prof_request *request)
{
    for (struct prof_target *at = collector->targets; at; at = at->next) {
        if (at->ring.ring.crashes->fatal.pid == request->message.pid)
            prof_crashes_look(&collector->crashes, at, request->pid);
    }
    struct wire_reply reply = prof_collector_reply(collector);
    prof_listener_answer(request->connection, &reply);
}

static void note_failure(
    struct prof_collector *collector, const struct prof_request *request)
{
    /* It may have said HELLO before it failed: then its clock is armed. */
    struct prof_target **armed = prof_collector_find(collector, request->pid);
    if (collector->stats.failure.status == STATUS_OK) {
        (void)fail(
            &collector->stats.failure, STATUS_UNSUPPORTED,
            "process %u could not be sampled%s: %s", request->pid,
            *armed != NULL ? " to its end" : "", request->message.text);
    }
    prof_profile_add_loss(collector->common.profile, PROF_LOSS_NOT_SAMPLED, 1);
    if (*armed != NULL)
        prof_collector_remove(collector, armed);
    struct wire_reply reply = prof_collector_reply(collector);
    prof_listener_answer(request->connection, &reply);
}

/* The library in that process and this command come from different builds. */
static void refuse_version(
    struct prof_collector *collector, const struct prof_request *request)
{
    struct wire_reply reply = prof_collector_reply(collector);
    if (collector->stats.failure.status == STATUS_OK)
        (void)fail(
            &collector->stats.failure, STATUS_MISMATCH,
            "process %u could not be sampled: the library in it speaks version "
            "%u and this command version %u; install both from one build",
            request->pid, request->message.version, WIRE_VERSION);
    if (request->message.type == WIRE_HELLO)
        prof_profile_add_loss(
            collector->common.profile, PROF_LOSS_NOT_SAMPLED, 1);
    refuse(&reply, "another version");
    prof_listener_answer(request->connection, &reply);
}

static void answer(
    struct prof_collector *collector, const struct prof_request *request)
{
    switch (request->message.type) {
    case WIRE_HELLO:
        answer_hello(collector, request);
        break;
    case WIRE_EXEC:
    case WIRE_EXEC_FAILED:
        answer_exec(collector, request);
        break;
    case WIRE_BYE:
        answer_bye(collector, request);
        break;
    case WIRE_FAILED:
        note_failure(collector, request);
        break;
    case WIRE_UNSEEN:
        answer_unseen(collector, request);
        break;
    case WIRE_CRASHED:
        answer_crashed(collector, request);
        break;
    case WIRE_ROUSED_BY_SPAN:
        prof_collector_rouse(collector);
        (void)close(request->connection);
        break;
    default:
        (void)close(request->connection);
        break;
    }
}

void prof_collector_answer(
    struct prof_collector *collector, const struct prof_request *request)
{
    if (request->message.version != WIRE_VERSION)
        refuse_version(collector, request);
    else
        answer(collector, request);
    if (request->fd >= 0)
        (void)close(request->fd);
}

/* Those that wait for the outputs, when these are there. */
void prof_collector_release(
    struct prof_collector *collector, const char *failure)
{
    for (unsigned i = 0; i < collector->leaving_count; i++) {
        struct wire_reply reply = prof_collector_reply(collector);
        if (failure != NULL)
            refuse(&reply, failure);
        prof_listener_answer(collector->leaving[i], &reply);
    }
    collector->leaving_count = 0;
}
