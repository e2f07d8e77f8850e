/*
 * Transactions in the making: what a program says of its work
 * (profiler/model/span.h) put together, until each is whole and can be sent
 * (transaction.h).
 *
 * A record may be missing, as a ring may be full: a span without its start is
 * none, one without its end ends with its transaction, and a transaction
 * without its end with the process. Only so many are open at a time; those that
 * are not taken are counted.
 */
#ifndef EXPORTERS_SENTRY_TRACES_H
#define EXPORTERS_SENTRY_TRACES_H

#include <stdint.h>

#include "exporters/sentry/transaction.h"
#include "profiler/model/span.h"

struct exp_traces;

/* Gets a transaction that is over; it is gone afterwards. */
typedef void exp_traces_done(
    void *owner, const struct exp_transaction *transaction);

/* NULL when out of memory. */
struct exp_traces *exp_traces_create(exp_traces_done *done, void *owner);

/* Forget the open ones; NULL is accepted. */
void exp_traces_destroy(struct exp_traces *traces);

void exp_traces_take(struct exp_traces *traces, const struct prof_span *span);

/* Nothing comes any more: what is open ended, unfinished, at `time_ns`. */
void exp_traces_end(struct exp_traces *traces, uint64_t time_ns);

/* How many were ever taken, and how many are open. */
uint64_t exp_traces_begun(const struct exp_traces *traces);
uint32_t exp_traces_open_count(const struct exp_traces *traces);

/* Transactions that were not taken, as too many were open, or for memory. */
uint64_t exp_traces_lost(const struct exp_traces *traces);

#endif
