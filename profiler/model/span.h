/*
 * What a program says of its own work (profiler/agent/watchfire.h), in terms of
 * the profile model: transactions and their spans, each start, tag and end by
 * itself. The collector passes them on as they come, exporters put them
 * together.
 */
#ifndef PROFILER_MODEL_SPAN_H
#define PROFILER_MODEL_SPAN_H

#include <stdint.h>

#define PROF_SPAN_TEXT_BYTES 512 /* with the NUL */

enum prof_span_kind {
    PROF_SPAN_ROOT,    /* a transaction starts: its name, its op */
    PROF_SPAN_START,   /* a span does: its description, its op */
    PROF_SPAN_END,     /* either ends, with its status */
    PROF_SPAN_TAG,     /* of a transaction: key, value */
    PROF_SPAN_BAGGAGE, /* that a transaction goes on with */
};

struct prof_span {
    enum prof_span_kind kind;
    uint32_t pid, tid;   /* as the collector sees them */
    uint64_t time_ns;    /* CLOCK_MONOTONIC */
    uint64_t trace[2];   /* of the trace, the first digits first */
    uint64_t id, parent; /* of the span; parent 0: none */
    uint64_t root;       /* the id of its transaction */
    uint32_t status;     /* enum wf_status */
    char first[PROF_SPAN_TEXT_BYTES], second[PROF_SPAN_TEXT_BYTES];
};

/* Who is told of them, in the collector's run. */
struct prof_span_options {
    void (*take)(void *owner, const struct prof_span *span); /* NULL: nobody */
    void (*count_unsampled)(void *owner, uint32_t transactions);
    void *owner;
};

#endif
