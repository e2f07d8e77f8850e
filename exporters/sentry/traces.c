/* Transactions in the making. */
#include "exporters/sentry/traces.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPEN_MAX = 1024 };

/* Of watchfire.h: what an unfinished one is said to be. */
enum { STATUS_OF_ABORTED = 10 };

struct exp_traces {
    exp_traces_done *done;
    void *owner;
    struct exp_transaction *open[OPEN_MAX];
    uint32_t count;
    uint64_t begun, lost;
};

struct exp_traces *exp_traces_create(exp_traces_done *done, void *owner)
{
    struct exp_traces *traces = calloc(1, sizeof *traces);
    if (traces == NULL)
        return NULL;
    traces->done = done;
    traces->owner = owner;
    return traces;
}

static void destroy_transaction(struct exp_transaction *transaction)
{
    table_fini(&transaction->spans);
    table_fini(&transaction->tags);
    free(transaction);
}

void exp_traces_destroy(struct exp_traces *traces)
{
    if (traces == NULL)
        return;
    for (uint32_t i = 0; i < traces->count; i++)
        destroy_transaction(traces->open[i]);
    free(traces);
}

/* The place of a transaction among the open ones; the latest is the likeliest.
   `count` when it is none of them. */
static uint32_t find(const struct exp_traces *traces, uint64_t root)
{
    for (uint32_t i = traces->count; i > 0; i--) {
        if (traces->open[i - 1]->part.id == root)
            return i - 1;
    }
    return traces->count;
}

static void begin_part(
    struct exp_trace_part *part, const struct prof_span *span)
{
    *part = (struct exp_trace_part){
        .id = span->id,
        .parent = span->parent,
        .tid = span->tid,
        .start_ns = span->time_ns};
    (void)snprintf(
        part->name, sizeof part->name, "%.*s", EXP_TRACE_TEXT_BYTES - 1,
        span->first);
    (void)snprintf(
        part->op, sizeof part->op, "%.*s", EXP_TRACE_TEXT_BYTES - 1,
        span->second);
}

static void begin_transaction(
    struct exp_traces *traces, const struct prof_span *span)
{
    struct exp_transaction *made =
        traces->count < OPEN_MAX ? calloc(1, sizeof *made) : NULL;
    if (made == NULL) {
        traces->lost++;
        return;
    }
    made->trace[0] = span->trace[0];
    made->trace[1] = span->trace[1];
    made->pid = span->pid;
    made->spans.row_bytes = sizeof(struct exp_trace_part);
    made->tags.row_bytes = sizeof(struct exp_tag);
    begin_part(&made->part, span);
    traces->open[traces->count++] = made;
    traces->begun++;
}

static void begin_span(
    struct exp_transaction *transaction, const struct prof_span *span)
{
    struct exp_trace_part part;
    if (transaction->spans.count >= EXP_TRACE_SPANS_MAX) {
        transaction->lost_spans++;
        return;
    }
    begin_part(&part, span);
    if (table_add(&transaction->spans, &part) == TABLE_NONE)
        transaction->lost_spans++;
}

static void add_tag(
    struct exp_transaction *transaction, const struct prof_span *span)
{
    struct exp_tag tag = {.key = ""};
    if (span->first[0] == '\0' || transaction->tags.count >= EXP_TAGS_MAX)
        return;
    (void)snprintf(
        tag.key, sizeof tag.key, "%.*s", EXP_TAG_BYTES - 1, span->first);
    (void)snprintf(
        tag.value, sizeof tag.value, "%.*s", EXP_TAG_BYTES - 1, span->second);
    for (uint32_t i = 0; i < transaction->tags.count; i++) {
        struct exp_tag *row = table_row(&transaction->tags, i);
        if (strcmp(row->key, tag.key) == 0) {
            *row = tag;
            return;
        }
    }
    /* Without memory it is missing. */
    (void)table_add(&transaction->tags, &tag);
}

static void end_part(
    struct exp_trace_part *part, uint64_t time_ns, uint32_t status)
{
    part->end_ns = time_ns > part->start_ns ? time_ns : part->start_ns;
    part->status = status;
    part->is_over = true;
}

static void end_transaction(
    struct exp_traces *traces, uint32_t place, uint64_t time_ns,
    uint32_t status)
{
    struct exp_transaction *transaction = traces->open[place];
    end_part(&transaction->part, time_ns, status);
    for (uint32_t i = 0; i < transaction->spans.count; i++) {
        struct exp_trace_part *part = table_row(&transaction->spans, i);
        if (!part->is_over)
            end_part(part, time_ns, STATUS_OF_ABORTED);
    }
    traces->done(traces->owner, transaction);
    destroy_transaction(transaction);
    traces->open[place] = traces->open[--traces->count];
}

static void end_span(
    struct exp_transaction *transaction, const struct prof_span *span)
{
    for (uint32_t i = transaction->spans.count; i > 0; i--) {
        struct exp_trace_part *part = table_row(&transaction->spans, i - 1);
        if (part->id == span->id) {
            if (!part->is_over)
                end_part(part, span->time_ns, span->status);
            return;
        }
    }
}

void exp_traces_take(struct exp_traces *traces, const struct prof_span *span)
{
    uint32_t place = find(traces, span->root);
    if (span->kind == PROF_SPAN_ROOT) {
        if (place == traces->count && span->id == span->root)
            begin_transaction(traces, span);
        return;
    }
    if (place == traces->count)
        return; /* its start was lost, or it is over */
    struct exp_transaction *transaction = traces->open[place];
    switch (span->kind) {
    case PROF_SPAN_START:
        begin_span(transaction, span);
        break;
    case PROF_SPAN_END:
        if (span->id == span->root)
            end_transaction(traces, place, span->time_ns, span->status);
        else
            end_span(transaction, span);
        break;
    case PROF_SPAN_TAG:
        add_tag(transaction, span);
        break;
    case PROF_SPAN_BAGGAGE:
        (void)snprintf(
            transaction->baggage, sizeof transaction->baggage, "%s",
            span->first);
        break;
    default:
        break;
    }
}

void exp_traces_end(struct exp_traces *traces, uint64_t time_ns)
{
    while (traces->count > 0)
        end_transaction(traces, traces->count - 1, time_ns, STATUS_OF_ABORTED);
}

uint64_t exp_traces_begun(const struct exp_traces *traces)
{
    return traces->begun;
}

uint32_t exp_traces_open_count(const struct exp_traces *traces)
{
    return traces->count;
}

uint64_t exp_traces_lost(const struct exp_traces *traces)
{
    return traces->lost;
}
