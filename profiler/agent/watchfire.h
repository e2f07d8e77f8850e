/*
 * watchfire.h: transactions and spans of a program's own, for those who watch
 * it with watchfire and a Sentry backend (SENTRY_DSN).
 *
 *     struct wf_transaction request;
 *     wf_transaction_start(&request, "GET /", "http.server");
 *     struct wf_span query;
 *     wf_span_start(&query, &request, NULL, "db.query", "SELECT 1");
 *     wf_span_finish(&query);
 *     wf_transaction_finish(&request);
 *
 * For C99 and C++11. There is nothing to link with: when libwatchfire.so is in
 * the process all of this goes to it, and otherwise does nothing. A transaction
 * and its spans are the caller's memory, may be started and finished by
 * different threads, and need no lock. No call allocates or waits, or makes a
 * system call beyond a clock's, but a start that ends a rest of the sampling
 * (SENTRY_PROFILE_LIFECYCLE=trace) and makes a few; texts are copied, and cut
 * beyond 200 bytes.
 *
 * SENTRY_TRACES_SAMPLE_RATE (0 to 1; 0 unless set) says which share of the
 * transactions is recorded. One that goes on from another service is recorded
 * when it was there.
 */
#ifndef WATCHFIRE_H
#define WATCHFIRE_H

#include <dlfcn.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Of the header sentry-trace, with the NUL; and of the header baggage. */
#define WF_TRACE_BYTES   56
#define WF_BAGGAGE_BYTES 512

/* What became of it; Sentry's names. WF_OK unless set. */
enum wf_status {
    WF_OK,
    WF_CANCELLED,
    WF_UNKNOWN,
    WF_INVALID_ARGUMENT,
    WF_DEADLINE_EXCEEDED,
    WF_NOT_FOUND,
    WF_ALREADY_EXISTS,
    WF_PERMISSION_DENIED,
    WF_RESOURCE_EXHAUSTED,
    WF_FAILED_PRECONDITION,
    WF_ABORTED,
    WF_OUT_OF_RANGE,
    WF_UNIMPLEMENTED,
    WF_INTERNAL_ERROR,
    WF_UNAVAILABLE,
    WF_DATA_LOSS,
    WF_UNAUTHENTICATED
};

/* To be read by nobody but this header and the library. */
struct wf_span {
    uint64_t trace[2], id, root; /* id 0: nobody records anything */
    uint32_t status;
    uint32_t is_sampled;
};

struct wf_transaction {
    struct wf_span span;
    char baggage[WF_BAGGAGE_BYTES]; /* what goes on to other services */
};

/* The library's side; later versions add members at the end. */
struct wf_api {
    uint32_t version;
    void (*transaction_start)(
        struct wf_transaction *transaction, const char *name, const char *op,
        const char *trace, const char *baggage);
    void (*transaction_finish)(struct wf_transaction *transaction);
    void (*set_tag)(
        struct wf_transaction *transaction, const char *key, const char *value);
    void (*span_start)(
        struct wf_span *span, const struct wf_transaction *transaction,
        const struct wf_span *parent, const char *op, const char *description);
    void (*span_finish)(struct wf_span *span);
};

/*
 * The library, when it is in the process. Not by weak symbols: a linker
 * resolves an undefined weak one to 0 for good in a program that is not
 * position-independent, and a library that is preloaded is never seen.
 */
static inline const struct wf_api *wf_api(void)
{
    static const struct wf_api *found;
    static int is_known;
    if (!__atomic_load_n(&is_known, __ATOMIC_ACQUIRE)) {
        void *api = dlsym(NULL, "wf_api_table"); /* NULL is RTLD_DEFAULT */
        __atomic_store_n(&found, (const struct wf_api *)api, __ATOMIC_RELAXED);
        __atomic_store_n(&is_known, 1, __ATOMIC_RELEASE);
    }
    return __atomic_load_n(&found, __ATOMIC_RELAXED);
}

/*
 * Start a transaction that goes on from another service: `trace` and `baggage`
 * are its headers sentry-trace and baggage, or NULL.
 */
static inline void wf_transaction_continue(
    struct wf_transaction *transaction, const char *name, const char *op,
    const char *trace, const char *baggage)
{
    memset(transaction, 0, sizeof *transaction);
    if (wf_api() != NULL)
        wf_api()->transaction_start(transaction, name, op, trace, baggage);
}

/* Start one: `op` is the kind of work ("http.server"), `name` which. */
static inline void wf_transaction_start(
    struct wf_transaction *transaction, const char *name, const char *op)
{
    wf_transaction_continue(transaction, name, op, NULL, NULL);
}

static inline void wf_transaction_set_tag(
    struct wf_transaction *transaction, const char *key, const char *value)
{
    if (transaction->span.is_sampled)
        wf_api()->set_tag(transaction, key, value);
}

static inline void wf_transaction_set_status(
    struct wf_transaction *transaction, enum wf_status status)
{
    transaction->span.status = (uint32_t)status;
}

/* The end; spans that are not finished end with it. */
static inline void wf_transaction_finish(struct wf_transaction *transaction)
{
    if (transaction->span.is_sampled)
        wf_api()->transaction_finish(transaction);
    transaction->span.is_sampled = 0;
}

/* Start a part of a transaction, below `parent`; NULL: the transaction. */
static inline void wf_span_start(
    struct wf_span *span, const struct wf_transaction *transaction,
    const struct wf_span *parent, const char *op, const char *description)
{
    memset(span, 0, sizeof *span);
    if (transaction->span.id != 0)
        wf_api()->span_start(span, transaction, parent, op, description);
}

static inline void wf_span_set_status(
    struct wf_span *span, enum wf_status status)
{
    span->status = (uint32_t)status;
}

static inline void wf_span_finish(struct wf_span *span)
{
    if (span->is_sampled)
        wf_api()->span_finish(span);
    span->is_sampled = 0;
}

/*
 * The header sentry-trace for a request that is made within `span`; of a
 * transaction, `&transaction.span`. "" when there is nothing to go on from.
 */
static inline const char *wf_trace_header(
    const struct wf_span *span, char *text, size_t bytes)
{
    if (bytes > 0)
        text[0] = '\0';
    if (span->id != 0)
        (void)snprintf(
            text, bytes, "%016" PRIx64 "%016" PRIx64 "-%016" PRIx64 "-%d",
            span->trace[0], span->trace[1], span->id, span->is_sampled != 0);
    return text;
}

/* And the header baggage; valid as long as the transaction. */
static inline const char *wf_baggage_header(
    const struct wf_transaction *transaction)
{
    return transaction->baggage;
}

#ifdef __cplusplus
}
#endif

#endif
