/*
 * One envelope of a spool, delivered.
 *
 * It is stripped of what the limits forbid, posted, and settled on disk by the
 * answer. The limits lie with the spool: they are read before each post and,
 * when an answer brings new ones, put down before its envelope is removed; so
 * neither a restart nor another process oversteps them.
 *
 * A client report must not be told twice by two processes at a time: only the
 * holder of the lock `report` sends one.
 */
#include "exporters/sentry/delivery.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "exporters/sentry/rate_limits.h"
#include "exporters/sentry/request.h"
#include "exporters/sentry/spool_model.h"
#include "exporters/sentry/transport.h"
#include "exporters/writer.h"

static void read_limits(
    const struct exp_spool *spool, struct exp_rate_limits *limits)
{
    char text[SPOOL_STATE_BYTES];
    bool is_there = spool_read_state(spool, "limits", text);
    exp_rate_limits_read(limits, is_there ? text : NULL, spool_now_ms());
}

/* Put new limits down, unless others have put down longer ones. */
static void take_limits(
    struct exp_spool *spool, const struct exp_answer *answer)
{
    const struct exp_rate_answer rates = {
        .status = answer->status,
        .rate_limits = answer->rate_limits[0] ? answer->rate_limits : NULL,
        .retry_after = answer->retry_after[0] ? answer->retry_after : NULL};
    struct exp_rate_limits limits = {0};
    if (!exp_rate_limits_take(&limits, &rates, spool_now_ms()))
        return;
    int lock = spool_lock(spool);
    struct exp_rate_limits others;
    read_limits(spool, &others);
    exp_rate_limits_merge(&limits, &others);
    struct exp_writer *writer = exp_writer_create_memory();
    size_t count = 0;
    if (writer != NULL) {
        exp_rate_limits_write(&limits, writer);
        const char *text = exp_writer_bytes(writer, &count);
        if (text != NULL)
            (void)spool_write(spool, "limits", text, count);
    }
    exp_writer_destroy(writer);
    spool_release(lock);
}

/* The lock on telling what was lost, or -1 while another tells. */
static int lock_report(const struct exp_spool *spool)
{
    int fd = openat(
        spool->folder, "report",
        O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) {
        (void)close(fd);
        fd = -1;
    }
    return fd;
}

/* Whether the backend has spoken, so that it is its to say what happens. */
static bool is_answer(const struct exp_answer *answer)
{
    int status = answer->status;
    if (status < 200 || (status >= 300 && status < 400) || status == 407)
        return false;
    if (status >= 502 && status <= 504)
        return answer->is_backends;
    return true;
}

static enum exp_fate fate_of(const struct exp_answer *answer)
{
    if (answer->status < 300)
        return EXP_FATE_SENT;
    return answer->status == 429 ? EXP_FATE_LIMITED : EXP_FATE_REFUSED;
}

/* The envelope is done with: have that on disk, and count it. */
static void settle(
    struct exp_spool *spool, const char *name, const struct exp_discards *lost,
    const struct exp_discards *told)
{
    bool is_counted =
        !exp_discards_is_empty(lost) || !exp_discards_is_empty(told);
    int lock = is_counted ? spool_lock(spool) : -1;
    if (lock >= 0) {
        spool_remove_counted(spool, name, lost, told);
        spool_release(lock);
    } else {
        (void)unlinkat(spool->folder, name, 0);
        (void)fsync(spool->folder);
    }
}

/* A sentence about what is no success. */
static void describe(
    struct exp_outcome *outcome, const struct exp_transport *transport,
    const struct exp_answer *answer)
{
    const char *url = exp_transport_url(transport);
    if (answer->status == 0)
        (void)snprintf(
            outcome->problem, sizeof outcome->problem,
            "cannot reach %.200s: %.200s", url, answer->problem);
    else
        (void)snprintf(
            outcome->problem, sizeof outcome->problem,
            "%.200s answers %d%s%.200s", url, answer->status,
            answer->problem[0] != '\0' ? ": " : "", answer->problem);
}

/* Post what is left of an envelope, and settle it by the answer. */
static void post(
    struct exp_spool *spool, struct exp_transport *transport, const char *name,
    const struct exp_block *content, const struct exp_request *request,
    struct exp_outcome *outcome)
{
    const struct exp_discards none = {0};
    struct exp_answer answer;
    exp_transport_post(
        transport, request->packed.bytes, request->packed.count, &answer);
    outcome->is_answered = is_answer(&answer);
    outcome->fate = fate_of(&answer);
    if (!outcome->is_answered || outcome->fate != EXP_FATE_SENT)
        describe(outcome, transport, &answer);
    if (!outcome->is_answered) {
        if (answer.retry_after[0] != '\0')
            (void)exp_retry_after_parse(
                answer.retry_after, spool_now_ms(), &outcome->wait_ms);
        return;
    }
    take_limits(spool, &answer);
    struct exp_discards lost = request->held;
    if (outcome->fate == EXP_FATE_REFUSED) {
        lost = none;
        if (exp_discards_add_envelope(
                &lost, EXP_DISCARD_SEND_ERROR, content->bytes,
                content->count) != STATUS_OK)
            lost = none;
    }
    settle(
        spool, name, &lost,
        outcome->fate == EXP_FATE_SENT ? &request->report : &none);
}

void exp_deliver(
    struct exp_spool *spool, struct exp_transport *transport, const char *name,
    const struct exp_block *content, struct exp_outcome *outcome)
{
    const struct exp_discards none = {0};
    struct exp_rate_limits limits;
    struct spool_ledger ledger = {.foreign_count = 0};
    struct exp_request request;
    *outcome = (struct exp_outcome){.is_answered = false};
    int report = lock_report(spool);
    if (report >= 0)
        spool_read_ledger(spool, &ledger);
    read_limits(spool, &limits);
    enum status status = exp_request_make(
        &request, content, &limits, &ledger.discards, spool_now_ms());
    if (status != STATUS_OK) {
        (void)snprintf(
            outcome->problem, sizeof outcome->problem, "cannot send: %s",
            status_text(status));
    } else if (request.packed.bytes != NULL) {
        post(spool, transport, name, content, &request, outcome);
        exp_request_fini(&request);
    } else {
        settle(spool, name, &request.held, &none);
        *outcome =
            (struct exp_outcome){.is_answered = true, .fate = EXP_FATE_LIMITED};
    }
    spool_release(report);
}
