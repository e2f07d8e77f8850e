/* An envelope as it goes out: the kept one, with what only sending adds. */
#ifndef EXPORTERS_SENTRY_REQUEST_H
#define EXPORTERS_SENTRY_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "exporters/sentry/discards.h"
#include "exporters/sentry/gzip.h"
#include "exporters/sentry/rate_limits.h"
#include "profiler/base/status.h"

struct exp_request {
    struct exp_block packed;    /* "" when nothing is left to be sent */
    struct exp_discards held;   /* items that a limit kept back */
    struct exp_discards report; /* what the client report in it tells */
};

/*
 * Make one of an envelope:
 *
 *   - `sent_at` is this moment, whatever was there; a `dsn` goes, as the auth
 *     header speaks for it
 *   - items of limited categories stay out, and attachments with their event
 *   - a client report of `discards` goes along; NULL: none
 *
 *   returns  MALFORMED when it is no envelope
 */
MUST_CHECK enum status exp_request_make(
    struct exp_request *request, const struct exp_block *envelope,
    const struct exp_rate_limits *limits, const struct exp_discards *discards,
    uint64_t now_ms);

void exp_request_fini(struct exp_request *request);

#endif
