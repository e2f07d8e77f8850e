/*
 * Transactions and spans of the program's own (watchfire.h), on their way to
 * the collector: each start, tag and end is a record in the ring
 * (wire/record.h).
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/agent/core.h"
#include "profiler/agent/shell.h"
#include "profiler/agent/spans.h"
#include "profiler/agent/watchfire.h"
#include "profiler/base/cycles_x86_64.h"

_Static_assert(
    WF_BAGGAGE_BYTES > WIRE_SPAN_BAGGAGE_BYTES, "what is kept is sent");

static double sample_rate;
static char public_key[80];
static _Atomic uint64_t ids_made;
static uint64_t seed;

/* The key of a DSN, which other services are told. */
static void read_dsn(const char *dsn)
{
    const char *start = dsn != NULL ? strstr(dsn, "://") : NULL;
    if (start == NULL)
        return;
    size_t length = strcspn(start + 3, ":@/");
    if (length < sizeof public_key && start[3 + length] != '/')
        memcpy(public_key, start + 3, length);
}

void shell_spans_begin(void)
{
    const char *rate = getenv("SENTRY_TRACES_SAMPLE_RATE");
    sample_rate = rate != NULL ? strtod(rate, NULL) : 0;
    read_dsn(getenv("SENTRY_DSN"));
    /* The clock, and where the loader put us. */
    seed = cycles_random() ^ (uint64_t)(uintptr_t)&seed;
}

/*
 * Random enough to be told apart from all others, without a system call: the
 * clock, the process, and how many there were.
 */
static uint64_t make_id(void)
{
    uint64_t value = seed ^ cycles_random() ^ (uint64_t)prof_core.pid << 32;
    value += atomic_fetch_add_explicit(&ids_made, 1, memory_order_relaxed) *
             UINT64_C(0x9e3779b97f4a7c15);
    value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
    return (value ^ value >> 31) | 1; /* never 0, which is none */
}

static void write_record(
    enum wire_span_kind kind, const struct wf_span *span, uint64_t parent,
    const char *first, const char *second)
{
    struct wire_span record = {
        .record = {.type = WIRE_SPAN, .flags = (uint16_t)kind},
        .trace = {span->trace[0], span->trace[1]},
        .id = span->id,
        .parent = parent,
        .root = span->root,
        .status = span->status};
    prof_core_write_span(&record, first, second);
}

/* "TRACE-SPAN-SAMPLED", of which the last may be missing: then it is -1. */
static bool read_trace(
    const char *text, struct wf_span *span, uint64_t *parent, int *is_sampled)
{
    char digits[3][17];
    if (text == NULL || strspn(text, "0123456789abcdef") != 32 ||
        text[32] != '-' || strspn(text + 33, "0123456789abcdef") != 16)
        return false;
    (void)snprintf(digits[0], sizeof digits[0], "%.16s", text);
    (void)snprintf(digits[1], sizeof digits[1], "%.16s", text + 16);
    (void)snprintf(digits[2], sizeof digits[2], "%.16s", text + 33);
    span->trace[0] = strtoull(digits[0], NULL, 16);
    span->trace[1] = strtoull(digits[1], NULL, 16);
    *parent = strtoull(digits[2], NULL, 16);
    *is_sampled = text[49] == '-' && (text[50] == '0' || text[50] == '1')
                      ? text[50] - '0'
                      : -1;
    return (span->trace[0] | span->trace[1]) != 0;
}

/*
 * Sentry's members of a baggage, which are passed on as they are; what they
 * say was settled where the trace began. False when there are none.
 */
static bool take_baggage(const char *text, char *kept)
{
    size_t used = 0;
    while (text != NULL && *text != '\0') {
        text += strspn(text, " \t,");
        size_t length = strcspn(text, ",");
        if (strncmp(text, "sentry-", 7) == 0 &&
            used + length + 2 < WF_BAGGAGE_BYTES) {
            if (used > 0)
                kept[used++] = ',';
            memcpy(kept + used, text, length);
            used += length;
            kept[used] = '\0';
        }
        text += length;
    }
    return used > 0;
}

static void make_baggage(struct wf_transaction *transaction)
{
    const struct wf_span *span = &transaction->span;
    (void)snprintf(
        transaction->baggage, sizeof transaction->baggage,
        "sentry-trace_id=%016" PRIx64 "%016" PRIx64
        ",sentry-public_key=%s,sentry-sampled=%s,sentry-sample_rate=%g",
        span->trace[0], span->trace[1], public_key,
        span->is_sampled ? "true" : "false", sample_rate);
}

static bool is_drawn(void)
{
    return (double)(make_id() >> 11) < sample_rate * 9007199254740992.0;
}

static void start_transaction(
    struct wf_transaction *transaction, const char *name, const char *op,
    const char *trace, const char *baggage)
{
    struct wf_span *span = &transaction->span;
    uint64_t parent = 0;
    int is_sampled = -1;
    if (!prof_core_takes_spans())
        return;
    if (!read_trace(trace, span, &parent, &is_sampled)) {
        span->trace[0] = make_id();
        span->trace[1] = make_id();
        parent = 0;
        is_sampled = -1;
    }
    span->id = span->root = make_id();
    span->is_sampled = is_sampled >= 0 ? (uint32_t)is_sampled : is_drawn();
    bool is_continued =
        parent != 0 && take_baggage(baggage, transaction->baggage);
    if (!is_continued)
        make_baggage(transaction);
    if (!span->is_sampled) {
        prof_core_count_unsampled();
        return;
    }
    write_record(WIRE_SPAN_ROOT, span, parent, name, op);
    if (is_continued)
        write_record(WIRE_SPAN_BAGGAGE, span, 0, transaction->baggage, "");
    prof_core_rouse();
}

static void finish_transaction(struct wf_transaction *transaction)
{
    write_record(WIRE_SPAN_END, &transaction->span, 0, "", "");
}

static void set_tag(
    struct wf_transaction *transaction, const char *key, const char *value)
{
    write_record(WIRE_SPAN_TAG, &transaction->span, 0, key, value);
}

static void start_span(
    struct wf_span *span, const struct wf_transaction *transaction,
    const struct wf_span *parent, const char *op, const char *description)
{
    *span = transaction->span;
    span->status = WF_OK;
    span->id = make_id();
    if (span->is_sampled)
        write_record(
            WIRE_SPAN_START, span,
            parent != NULL && parent->id != 0 ? parent->id : span->root,
            description, op);
}

static void finish_span(struct wf_span *span)
{
    write_record(WIRE_SPAN_END, span, 0, "", "");
}

/* What the program finds by its name. */
__attribute__((visibility("default"))) extern const struct wf_api wf_api_table;
const struct wf_api wf_api_table = {
    .version = 1,
    .transaction_start = start_transaction,
    .transaction_finish = finish_transaction,
    .set_tag = set_tag,
    .span_start = start_span,
    .span_finish = finish_span};
