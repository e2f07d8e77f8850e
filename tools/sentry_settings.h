/*
 * Where reports go and what is said with them: the names that every Sentry SDK
 * reads from the environment, and some of ours.
 *
 *     SENTRY_DSN                          where to; empty: nothing is sent
 *     SENTRY_RELEASE, _ENVIRONMENT, _DIST, _SERVER_NAME
 *     SENTRY_SAMPLE_RATE                  share of the events that are sent; 1
 *     SENTRY_TRACES_SAMPLE_RATE           of the transactions; 0
 *     SENTRY_PROFILE_SESSION_SAMPLE_RATE  of the processes that are profiled,
 *                                         drawn at the start; 1
 *     SENTRY_PROFILE_LIFECYCLE            manual, or trace: while a transaction
 *                                         is active
 *     SENTRY_SEND_DEFAULT_PII             1: what tells of people may be sent
 *     SENTRY_TAGS, WATCHFIRE_TAGS         KEY=VALUE,...
 *     WATCHFIRE_IN_APP                    patterns: exporters/sentry/in_app.h
 *     WATCHFIRE_CHUNK                     a chunk every so often; 15s, at most
 *                                         60s
 */
#ifndef TOOLS_SENTRY_SETTINGS_H
#define TOOLS_SENTRY_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "exporters/sentry/dsn.h"
#include "exporters/sentry/scope.h"

struct sentry_settings {
    struct exp_dsn dsn; /* off, unless SENTRY_DSN says where */
    struct exp_scope scope;
    double event_rate, trace_rate, profile_rate; /* shares */
    bool is_by_trace; /* profiles are of transactions alone */
    uint64_t chunk_ns;
};

/* Read the environment, which must stay as it is. */
MUST_CHECK enum status sentry_settings_read(
    struct sentry_settings *settings, struct diag *diag);

/* The same, of what does not depend on a DSN. */
MUST_CHECK enum status sentry_settings_read_scope(
    struct exp_scope *scope, struct diag *diag);

/* Add --tag KEY=VALUE, or those of a list. */
MUST_CHECK enum status sentry_settings_add_tags(
    struct exp_scope *scope, const char *list, struct diag *diag);

/* Whether one of a share of them is drawn, at random. */
bool sentry_settings_draw(double rate);

#endif
