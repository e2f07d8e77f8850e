/*
 * An envelope: what goes to a Sentry backend as one request.
 *
 *     HEADER \n ITEM_HEADER \n PAYLOAD \n ITEM_HEADER \n PAYLOAD \n ...
 *
 * Headers are JSON objects of one line; every item has its `length`.
 *
 *     struct exp_envelope *envelope = exp_envelope_create(event_id);
 *     exp_envelope_add(
 *         envelope, EXP_ITEM_EVENT, NULL, 0, json, strlen(json));
 *     status = exp_spool_add(spool, envelope, &diag);
 *     exp_envelope_destroy(envelope);
 *
 * There is no `sent_at` in it: whoever sends it says when, so that a backend
 * can tell by how much our clock is off, even for what lay on a disk for days.
 * A failure sticks, as in a writer, and is told by exp_envelope_bytes().
 */
#ifndef EXPORTERS_SENTRY_ENVELOPE_H
#define EXPORTERS_SENTRY_ENVELOPE_H

#include <stddef.h>

#include "exporters/sentry/category.h"
#include "profiler/base/status.h"

struct exp_envelope;

/* One more member of a header: a JSON string, of any text. */
struct exp_header {
    const char *key, *value;
};

/*
 * An empty envelope.
 *
 *   event_id  see id.h; needed with an event, a transaction or an attachment,
 *             NULL with all else
 *   returns   NULL when out of memory
 */
struct exp_envelope *exp_envelope_create(const char *event_id);

void exp_envelope_destroy(struct exp_envelope *envelope); /* NULL is accepted */

/*
 * The trace that a transaction belongs to: header `trace`, for sampling by the
 * backend. Copied; to be said once, at any time.
 */
void exp_envelope_set_trace(
    struct exp_envelope *envelope, const struct exp_header *members,
    size_t count);

/*
 * Add one item. `type` and `length` come by themselves.
 *
 *   headers  more members of the item's header, as {"platform", "native"};
 *            NULL with `header_count` 0
 *   payload  copied
 */
void exp_envelope_add(
    struct exp_envelope *envelope, enum exp_item_type type,
    const struct exp_header *headers, size_t header_count, const void *payload,
    size_t bytes);

/*
 * The whole, to be spooled or written to a file; valid until the next change.
 *
 *   returns  NULL when out of memory
 */
const char *exp_envelope_bytes(struct exp_envelope *envelope, size_t *bytes);

#endif
