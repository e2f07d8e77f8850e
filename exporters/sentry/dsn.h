/*
 * Where data goes and by which key, as every Sentry SDK takes it:
 *
 *     https://PUBLIC_KEY[:SECRET_KEY]@HOST[:PORT][/PREFIX]/PROJECT
 */
#ifndef EXPORTERS_SENTRY_DSN_H
#define EXPORTERS_SENTRY_DSN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/status.h"

#define EXP_DSN_PART_BYTES 256
/* Of a URL that is made of the parts, and of the value of X-Sentry-Auth. */
#define EXP_DSN_URL_BYTES  1024

struct exp_dsn {
    bool is_tls;
    uint16_t port;
    char host[EXP_DSN_PART_BYTES];    /* of IPv6 with its brackets; "": off */
    char prefix[EXP_DSN_PART_BYTES];  /* "" or "/path" */
    char project[EXP_DSN_PART_BYTES]; /* a name, not always a number */
    char public_key[EXP_DSN_PART_BYTES];
    char secret_key[EXP_DSN_PART_BYTES]; /* "": there is none, as usual */
};

/*
 * Take a DSN apart. Nothing of it gets into a URL or a header that could end
 * either early.
 *
 *   text  NULL, "" or blanks: nothing is to be sent, which is no mistake
 */
MUST_CHECK enum status exp_dsn_parse(
    struct exp_dsn *dsn, const char *text, struct diag *diag);

/* Whether nothing is to be sent. */
bool exp_dsn_is_off(const struct exp_dsn *dsn);

/* Where envelopes are posted to; with the port, always. Returns `url`. */
const char *exp_dsn_envelope_url(
    const struct exp_dsn *dsn, char url[static EXP_DSN_URL_BYTES]);

/* The value of X-Sentry-Auth. Returns `value`. */
const char *exp_dsn_auth(
    const struct exp_dsn *dsn, char value[static EXP_DSN_URL_BYTES]);

/* The organization that the host names (o42.ingest...), or "". */
const char *exp_dsn_organization(
    const struct exp_dsn *dsn, char digits[static EXP_DSN_PART_BYTES]);

/*
 * A name for what is kept for this DSN, good for a file: host, project and a
 * hash of all but the secret. Returns `name`.
 */
const char *exp_dsn_file_name(
    const struct exp_dsn *dsn, char name[static EXP_DSN_PART_BYTES]);

#endif
