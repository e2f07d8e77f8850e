/* A transaction with its spans, as an envelope of its own. */
#ifndef EXPORTERS_SENTRY_TRANSACTION_H
#define EXPORTERS_SENTRY_TRANSACTION_H

#include <stdbool.h>
#include <stdint.h>

#include "exporters/sentry/scope.h"
#include "profiler/base/table.h"
#include "profiler/model/span.h"

/* As SDKs have it; a backend takes no more. */
#define EXP_TRACE_SPANS_MAX  1000
#define EXP_TRACE_TEXT_BYTES 201

/* A span, or a transaction as its own first one. */
struct exp_trace_part {
    uint64_t id, parent; /* parent 0: none */
    uint32_t tid;        /* 0: not known */
    uint32_t status;     /* enum wf_status of watchfire.h */
    bool is_over;
    uint64_t start_ns, end_ns; /* CLOCK_MONOTONIC */
    char name[EXP_TRACE_TEXT_BYTES], op[EXP_TRACE_TEXT_BYTES];
};

/* A number that is said of it: value and unit as Sentry's SDKs name them. */
struct exp_measure {
    const char *name, *unit;
    double value;
};

#define EXP_TRACE_MEASURES_MAX 3

struct exp_transaction {
    uint64_t trace[2];
    uint32_t pid;
    struct exp_trace_part part;
    struct table spans; /* struct exp_trace_part */
    struct table tags;  /* struct exp_tag */
    uint32_t lost_spans;
    uint32_t measure_count;
    struct exp_measure measures[EXP_TRACE_MEASURES_MAX];
    char baggage[PROF_SPAN_TEXT_BYTES]; /* from where it began; "": here */
};

/* What is said with each of them. */
struct exp_trace_setting {
    const struct exp_scope *scope;
    const char *release;     /* not "" */
    const char *public_key;  /* of the DSN */
    const char *profiler_id; /* NULL or "": nobody profiles */
    uint64_t unix_offset_ns; /* from CLOCK_MONOTONIC to CLOCK_REALTIME */
};

struct exp_envelope;

/*
 * The envelope of one; NULL when out of memory.
 */
struct exp_envelope *exp_transaction_envelope(
    const struct exp_transaction *transaction,
    const struct exp_trace_setting *setting);

/* The status as backends call it. */
const char *exp_trace_status(uint32_t status);

#endif
