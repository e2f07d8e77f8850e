/* Puts records in order of time. */
#include "profiler/recording/perf_order.h"

#include <stdlib.h>
#include <string.h>

struct pending {
    uint64_t time_ns;
    size_t at; /* in the held bytes; equal times keep the order of arrival */
    size_t bytes;
};

void prof_perf_order_init(
    struct prof_perf_order *order, prof_perf_order_sink *sink, void *context)
{
    *order = (struct prof_perf_order){.sink = sink, .context = context};
    order->pending.row_bytes = sizeof(struct pending);
}

void prof_perf_order_fini(struct prof_perf_order *order)
{
    table_fini(&order->pending);
    prof_buffer_fini(&order->held);
}

static int compare_pending(const void *left, const void *right)
{
    const struct pending *a = left, *b = right;
    if (a->time_ns != b->time_ns)
        return a->time_ns < b->time_ns ? -1 : 1;
    return a->at < b->at ? -1 : a->at > b->at;
}

/* Drop the first `count` rows, and the bytes that nobody needs any more. */
static enum status keep_rest(
    struct prof_perf_order *order, uint32_t count, struct diag *diag)
{
    struct prof_buffer held = {0};
    uint32_t left = order->pending.count - count;
    struct pending *rows = order->pending.rows;
    for (uint32_t i = 0; i < left; i++) {
        struct pending row = rows[count + i];
        size_t at = held.count;
        prof_buffer_put(&held, order->held.data + row.at, row.bytes);
        row.at = at;
        rows[i] = row;
    }
    order->pending.count = left;
    if (held.is_failed) {
        prof_buffer_fini(&held);
        return fail(diag, STATUS_NO_MEMORY, "sort: out of memory");
    }
    prof_buffer_fini(&order->held);
    order->held = held;
    return STATUS_OK;
}

static enum status let_go(
    struct prof_perf_order *order, uint64_t until_ns, struct diag *diag)
{
    struct pending *rows = order->pending.rows;
    if (order->pending.count == 0)
        return STATUS_OK;
    qsort(rows, order->pending.count, sizeof *rows, compare_pending);
    uint32_t count = 0;
    while (count < order->pending.count && rows[count].time_ns <= until_ns) {
        enum status status = order->sink(
            order->context, order->held.data + rows[count].at, diag);
        if (status != STATUS_OK)
            return status;
        count++;
    }
    return count > 0 ? keep_rest(order, count, diag) : STATUS_OK;
}

enum status prof_perf_order_add(
    struct prof_perf_order *order, uint64_t time_ns, const void *record,
    size_t bytes, struct diag *diag)
{
    if (order->held.count > PERF_ORDER_MAX_BYTES) {
        enum status status = prof_perf_order_flush(order, diag);
        if (status != STATUS_OK)
            return status;
    }
    struct pending row = {time_ns, order->held.count, bytes};
    prof_buffer_put(&order->held, record, bytes);
    if (order->held.is_failed || table_add(&order->pending, &row) == TABLE_NONE)
        return fail(diag, STATUS_NO_MEMORY, "sort: out of memory");
    if (time_ns > order->newest_ns)
        order->newest_ns = time_ns;
    return STATUS_OK;
}

enum status prof_perf_order_mark(
    struct prof_perf_order *order, struct diag *diag)
{
    enum status status = let_go(order, order->safe_ns, diag);
    order->safe_ns = order->newest_ns;
    return status;
}

enum status prof_perf_order_flush(
    struct prof_perf_order *order, struct diag *diag)
{
    return let_go(order, UINT64_MAX, diag);
}
