/*
 * Sends what a spool holds, in a thread of its own, until it is empty, and
 * again whenever something was added.
 *
 * What gets no answer is tried again after a pause that doubles, with the
 * others before it, so that none can hold up the rest. What an answer means:
 * delivery.h.
 *
 * Whoever starts this has no hand in it any more: the spool is what counts.
 */
#ifndef EXPORTERS_SENTRY_SENDER_H
#define EXPORTERS_SENTRY_SENDER_H

#include <stdbool.h>
#include <stdint.h>

#include "exporters/sentry/delivery.h"
#include "exporters/sentry/dsn.h"
#include "exporters/sentry/spool.h"
#include "exporters/sentry/transport.h"
#include "profiler/base/status.h"

struct exp_sender;

struct exp_sender_options {
    const struct exp_dsn *dsn; /* copied */
    struct exp_spool *spool;   /* borrowed until the end */
    struct exp_transport_limits limits;
    uint32_t first_pause_ms; /* after a failure; 0: 2 s */
    uint32_t last_pause_ms;  /* 0: 5 min */
};

struct exp_sender_state {
    uint64_t counts[EXP_FATE_COUNT];
    uint64_t failures; /* attempts without an answer */
    char problem[480]; /* the last, as a sentence; "": none so far */
};

/* Start the thread, in which all signals are blocked. */
MUST_CHECK enum status exp_sender_start(
    struct exp_sender **sender, const struct exp_sender_options *options,
    struct diag *diag);

/* Something was added to the spool; never waits. */
void exp_sender_wake(struct exp_sender *sender);

void exp_sender_state(
    struct exp_sender *sender, struct exp_sender_state *state);

/*
 * Have everything tried once more, and wait until it is sent or has failed,
 * but no longer than the limit. What is not sent stays in the spool.
 *
 *   state    out: as of the end; may be NULL
 *   returns  whether nothing is left that could be sent
 *   owner    the sender is gone afterwards; NULL is accepted
 */
bool exp_sender_finish(
    struct exp_sender *sender, uint64_t limit_ms,
    struct exp_sender_state *state);

/*
 * The limit that the user wants for this: WATCHFIRE_SHUTDOWN_TIMEOUT, or else
 * SENTRY_SHUTDOWN_TIMEOUT, in seconds; 2 s.
 */
uint64_t exp_sender_limit_ms(void);

#endif
