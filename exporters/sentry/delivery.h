/*
 * One envelope of a spool, delivered: what the answer means.
 *
 *   2xx               sent
 *   429               given up, not counted: the backend has counted it
 *   other 4xx, 5xx    given up and counted (send_error)
 *   no answer         kept
 *   502, 503, 504     that is not the backend's own (see transport.h), and
 *   3xx, 407          which a backend never says: something on the way speaks;
 *                     as no answer
 */
#ifndef EXPORTERS_SENTRY_DELIVERY_H
#define EXPORTERS_SENTRY_DELIVERY_H

#include <stdbool.h>
#include <stdint.h>

#include "exporters/sentry/gzip.h"
#include "exporters/sentry/spool.h"

struct exp_transport;

/* What became of an envelope, once that is on disk. */
enum exp_fate {
    EXP_FATE_SENT,
    EXP_FATE_REFUSED, /* the backend did not want it */
    EXP_FATE_LIMITED, /* a rate limit, before or by the backend */
    EXP_FATE_COUNT
};

struct exp_outcome {
    bool is_answered; /* and settled; else it stays in the spool */
    enum exp_fate fate;
    uint64_t wait_ms;  /* that something on the way asks for; 0: nothing */
    char problem[480]; /* a sentence about what is no success; "": none */
};

/* Deliver an envelope that was claimed; see spool_model.h. */
void exp_deliver(
    struct exp_spool *spool, struct exp_transport *transport, const char *name,
    const struct exp_block *content, struct exp_outcome *outcome);

#endif
