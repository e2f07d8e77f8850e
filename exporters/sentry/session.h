/*
 * Sessions: from the start of a program to its end, and how it ended. A backend
 * makes crash-free rates of them. One item says that a session begins, another
 * one that it is over; what is said in between, and said again, is the same
 * session by its id.
 */
#ifndef EXPORTERS_SENTRY_SESSION_H
#define EXPORTERS_SENTRY_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "exporters/sentry/id.h"

struct exp_envelope;

enum exp_session_status {
    EXP_SESSION_OK, /* it goes on */
    EXP_SESSION_EXITED,
    EXP_SESSION_CRASHED,
    EXP_SESSION_ABNORMAL, /* it is gone, and nobody knows how */
};

struct exp_session {
    char id[EXP_ID_BYTES];
    const char *release;     /* borrowed; not "" */
    const char *environment; /* borrowed; NULL or "": that of scope.h */
    uint64_t started_ms;     /* since 1970 */
    uint32_t errors;         /* events so far, crashes among them */
};

/* Add the item that says how the session stands at `now_ms`; false when out of
   memory. */
bool exp_session_add(
    struct exp_envelope *envelope, const struct exp_session *session,
    enum exp_session_status status, bool is_first, uint64_t now_ms);

#endif
