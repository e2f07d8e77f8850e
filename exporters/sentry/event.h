/*
 * A crash as an `event` item: platform `native`, which a backend shows as it
 * is. So the frames have their names, files and lines already, inlined calls
 * among them, and go from the caller to the callee: where it crashed comes
 * last, the other way round than in a profile.
 *
 * An event is 1 MiB at most. Where all threads would not fit, the stacks of the
 * others get shorter, then threads go; the one that crashed stays. Of images
 * only those are listed that own a frame.
 */
#ifndef EXPORTERS_SENTRY_EVENT_H
#define EXPORTERS_SENTRY_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "exporters/sentry/id.h"
#include "profiler/base/status.h"
#include "profiler/model/crash.h"

#define EXP_EVENT_BYTES_MAX (1u << 20)

struct exp_scope;
struct exp_system;

struct exp_event_options {
    const char *event_id; /* see id.h */
    const struct exp_scope *scope;
    const struct exp_system *system; /* NULL: nothing is said of it */
    const char *profiler_id;         /* of the running profile; NULL: none */
    const char *trace_id;            /* of the process; NULL: none */
    uint32_t repeats; /* of the same crash that were not sent before it */

    /* Whether names of people and machines, and arguments, may be said. */
    bool is_pii_sent;
};

/*
 * The payload.
 *
 *   crash    its profile is symbolized
 *   payload  out: the caller's to free; ends in a NUL
 *   errors   NO_MEMORY; LIMIT: it is too large whatever is left out
 */
MUST_CHECK enum status exp_event_make(
    const struct prof_crash *crash, const struct exp_event_options *options,
    char **payload, size_t *bytes);

#endif
