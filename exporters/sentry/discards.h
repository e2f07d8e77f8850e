/*
 * What was not delivered, by reason and category: counted where it is lost,
 * kept beside the spool, and told to the backend in a `client_report`.
 */
#ifndef EXPORTERS_SENTRY_DISCARDS_H
#define EXPORTERS_SENTRY_DISCARDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "exporters/sentry/category.h"
#include "profiler/base/status.h"

/* Names as in client reports; what ours mean is beside them. */
#define EXP_DISCARD_LIST(X)                                                    \
    X(QUEUE_OVERFLOW, "queue_overflow")                                        \
    X(CACHE_OVERFLOW, "cache_overflow")       /* the spool's cap of size */    \
    X(RATELIMIT_BACKOFF, "ratelimit_backoff") /* not sent for a limit */       \
    X(NETWORK_ERROR, "network_error")         /* the spool's cap of age */     \
    X(SAMPLE_RATE, "sample_rate")                                              \
    X(BEFORE_SEND, "before_send")                                              \
    X(SEND_ERROR, "send_error")                 /* refused by the backend */   \
    X(INTERNAL_SDK_ERROR, "internal_sdk_error") /* damaged in the spool */     \
    X(INSUFFICIENT_DATA, "insufficient_data")                                  \
    X(BACKPRESSURE, "backpressure")

enum exp_discard {
#define EXP_DISCARD_ENUM(name, text) EXP_DISCARD_##name,
    EXP_DISCARD_LIST(EXP_DISCARD_ENUM)
#undef EXP_DISCARD_ENUM
        EXP_DISCARD_COUNT
};

struct exp_discards {
    uint64_t counts[EXP_DISCARD_COUNT][EXP_CATEGORY_COUNT];
};

const char *exp_discard_name(enum exp_discard reason);

bool exp_discards_is_empty(const struct exp_discards *discards);

void exp_discards_add(
    struct exp_discards *discards, const struct exp_discards *more);

/* Take away what was told; never below 0. */
void exp_discards_subtract(
    struct exp_discards *discards, const struct exp_discards *told);

/* At most `count` of the entries, for a report of limited size. */
void exp_discards_first(
    const struct exp_discards *discards, unsigned count,
    struct exp_discards *first);

struct exp_item;

/* Count one item of an envelope: spans too, and an attachment's bytes. */
void exp_discards_add_item(
    struct exp_discards *discards, enum exp_discard reason,
    const struct exp_item *item);

/* Count every item of an envelope; MALFORMED when it is none. */
MUST_CHECK enum status exp_discards_add_envelope(
    struct exp_discards *discards, enum exp_discard reason, const void *bytes,
    size_t count);

struct exp_writer;

/* The payload of a `client_report`, stamped with a time since 1970. */
void exp_discards_write_report(
    const struct exp_discards *discards, double timestamp_s,
    struct exp_writer *writer);

#endif
