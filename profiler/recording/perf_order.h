/*
 * Puts records in order of time.
 *
 * The kernel keeps a buffer per processor, so records of a file are sorted
 * only roughly. perf writes a mark after each pass over all buffers; it
 * promises that nothing after a mark is older than the newest record before
 * the previous one. So each mark lets go of what is older than that.
 *
 * A file without marks is held whole, up to PERF_ORDER_MAX_BYTES, then let go
 * as it stands: an order within a window of that size.
 */
#ifndef PROFILER_RECORDING_PERF_ORDER_H
#define PROFILER_RECORDING_PERF_ORDER_H

#include "profiler/base/status.h"
#include "profiler/base/table.h"
#include "profiler/recording/bytes.h"

#define PERF_ORDER_MAX_BYTES ((size_t)1 << 30)

/* Receives records in order. */
typedef enum status prof_perf_order_sink(
    void *context, const void *record, struct diag *diag);

struct prof_perf_order {
    prof_perf_order_sink *sink;
    void *context;
    struct table pending;
    struct prof_buffer held; /* their bytes, in order of arrival */
    uint64_t newest_ns;      /* of all records so far */
    uint64_t safe_ns;        /* the newest at the last mark */
};

void prof_perf_order_init(
    struct prof_perf_order *order, prof_perf_order_sink *sink, void *context);
void prof_perf_order_fini(struct prof_perf_order *order);

/* Hold a copy of a record. Fails with NO_MEMORY, or as the sink does. */
MUST_CHECK enum status prof_perf_order_add(
    struct prof_perf_order *order, uint64_t time_ns, const void *record,
    size_t bytes, struct diag *diag);

/* perf's mark: FINISHED_ROUND. Fails as the sink does. */
MUST_CHECK enum status prof_perf_order_mark(
    struct prof_perf_order *order, struct diag *diag);

/* Let go of everything, at the end. */
MUST_CHECK enum status prof_perf_order_flush(
    struct prof_perf_order *order, struct diag *diag);

#endif
