/*
 * One envelope to the backend, and its answer. Proxies are those of
 * HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY, trusted certificates those
 * of CURL_CA_BUNDLE, SSL_CERT_FILE and SSL_CERT_DIR, or else of the system.
 */
#ifndef EXPORTERS_SENTRY_TRANSPORT_H
#define EXPORTERS_SENTRY_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/status.h"

struct exp_dsn;
struct exp_transport;

struct exp_transport_limits {
    uint32_t connect_ms; /* 0: 10 s */
    uint32_t idle_s;     /* without a byte in either direction; 0: 30 s */
    uint32_t whole_s;    /* 0: 300 s */
};

#define EXP_ANSWER_TEXT_BYTES 1024

/* What came back. */
struct exp_answer {
    int status; /* of HTTP; 0: none came, and `problem` says why */
    /*
     * It is the backend that speaks, not something on the way to it: a header
     * begins with X-Sentry-, or the body is a JSON object with `detail`.
     */
    bool is_backends;
    char rate_limits[EXP_ANSWER_TEXT_BYTES]; /* "": no such header */
    char retry_after[EXP_ANSWER_TEXT_BYTES];
    char problem[EXP_ANSWER_TEXT_BYTES]; /* also what a refusal says */
};

/* A connection that does not exist yet; loads libcurl. */
MUST_CHECK enum status exp_transport_open(
    struct exp_transport **transport, const struct exp_dsn *dsn,
    const struct exp_transport_limits *limits, struct diag *diag);

void exp_transport_close(struct exp_transport *transport); /* NULL: nothing */

/* Where it posts to, for sentences. */
const char *exp_transport_url(const struct exp_transport *transport);

/*
 * Post an envelope that gzip has packed.
 *
 *   answer   filled in whatever happens
 *   context  one thread, in which all signals are blocked
 */
void exp_transport_post(
    struct exp_transport *transport, const void *bytes, size_t count,
    struct exp_answer *answer);

/* End the post that is under way, and all later ones; from any thread. */
void exp_transport_stop(struct exp_transport *transport);

#endif
