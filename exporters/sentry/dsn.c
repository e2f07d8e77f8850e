/* Where data goes and by which key. */
#include "exporters/sentry/dsn.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exporters/sentry/client.h"

/* A part of the text that is being taken apart. */
struct slice {
    const char *at, *end;
};

static enum status refuse(struct diag *diag, const char *why)
{
    /* The DSN itself is not shown: it holds a key, perhaps a secret. */
    return fail(
        diag, STATUS_USAGE,
        "the DSN %s; it is like https://KEY@HOST/PROJECT, see SENTRY_DSN", why);
}

static const char *find(struct slice slice, char byte)
{
    return memchr(slice.at, byte, (size_t)(slice.end - slice.at));
}

static const char *find_last(struct slice slice, char byte)
{
    return memrchr(slice.at, byte, (size_t)(slice.end - slice.at));
}

/* Copy a part that is not empty and has only letters, digits and `more`. */
static bool take(char *part, struct slice slice, const char *more)
{
    size_t length = (size_t)(slice.end - slice.at);
    if (length == 0 || length >= EXP_DSN_PART_BYTES)
        return false;
    for (const char *at = slice.at; at < slice.end; at++) {
        if (!isalnum((unsigned char)*at) &&
            (*at == '\0' || strchr(more, *at) == NULL))
            return false;
    }
    memcpy(part, slice.at, length);
    part[length] = '\0';
    return true;
}

static enum status take_scheme(
    struct exp_dsn *dsn, struct slice *rest, struct diag *diag)
{
    if (strncasecmp(rest->at, "https://", 8) == 0) {
        *dsn = (struct exp_dsn){.is_tls = true, .port = 443};
        rest->at += 8;
    } else if (strncasecmp(rest->at, "http://", 7) == 0) {
        *dsn = (struct exp_dsn){.port = 80};
        rest->at += 7;
    } else {
        return refuse(diag, "begins with neither http:// nor https://");
    }
    return STATUS_OK;
}

static enum status take_keys(
    struct exp_dsn *dsn, struct slice keys, struct diag *diag)
{
    const char *colon = find(keys, ':');
    struct slice public = {keys.at, colon ? colon : keys.end};
    if (!take(dsn->public_key, public, "-_."))
        return refuse(diag, "has no public key, or no valid one");
    struct slice secret = {colon ? colon + 1 : keys.end, keys.end};
    if (secret.at < secret.end && !take(dsn->secret_key, secret, "-_."))
        return refuse(diag, "has a secret key that is not valid");
    return STATUS_OK;
}

static bool take_port(struct exp_dsn *dsn, struct slice digits)
{
    char text[EXP_DSN_PART_BYTES];
    if (!take(text, digits, ""))
        return false;
    char *end;
    unsigned long port = strtoul(text, &end, 10);
    if (*end != '\0' || port == 0 || port > UINT16_MAX)
        return false;
    dsn->port = (uint16_t)port;
    return true;
}

static enum status take_host(
    struct exp_dsn *dsn, struct slice host, struct diag *diag)
{
    const char *after = NULL; /* the colon of a port */
    bool is_valid;
    if (host.at < host.end && *host.at == '[') {
        const char *bracket = find(host, ']');
        if (bracket == NULL)
            return refuse(diag, "has an IPv6 address without its end");
        after = bracket + 1;
        is_valid = take(dsn->host, (struct slice){host.at, after}, "[:.]");
    } else {
        after = find(host, ':');
        if (after == NULL)
            after = host.end;
        is_valid = take(dsn->host, (struct slice){host.at, after}, "-_.");
    }
    if (!is_valid)
        return refuse(diag, "has no host, or no valid one");
    if (after < host.end &&
        (*after != ':' || !take_port(dsn, (struct slice){after + 1, host.end})))
        return refuse(diag, "has a port that is none");
    return STATUS_OK;
}

static enum status take_path(
    struct exp_dsn *dsn, struct slice path, struct diag *diag)
{
    while (path.at < path.end && path.end[-1] == '/')
        path.end--;
    const char *slash = find_last(path, '/');
    struct slice project = {slash ? slash + 1 : path.end, path.end};
    if (!take(dsn->project, project, "-_."))
        return refuse(diag, "has no project, or no valid one");
    struct slice prefix = {path.at, slash};
    while (prefix.at < prefix.end && prefix.end[-1] == '/')
        prefix.end--;
    if (prefix.at < prefix.end && !take(dsn->prefix, prefix, "/-_.~%"))
        return refuse(diag, "has a path that is not valid");
    return STATUS_OK;
}

static enum status parse(
    struct exp_dsn *dsn, struct slice rest, struct diag *diag)
{
    enum status status = take_scheme(dsn, &rest, diag);
    if (status != STATUS_OK)
        return status;
    const char *slash = find(rest, '/');
    struct slice authority = {rest.at, slash ? slash : rest.end};
    const char *at = find_last(authority, '@');
    if (at == NULL)
        return refuse(diag, "has no public key");
    status = take_keys(dsn, (struct slice){authority.at, at}, diag);
    if (status == STATUS_OK)
        status = take_host(dsn, (struct slice){at + 1, authority.end}, diag);
    if (status == STATUS_OK)
        status = take_path(dsn, (struct slice){authority.end, rest.end}, diag);
    return status;
}

enum status exp_dsn_parse(
    struct exp_dsn *dsn, const char *text, struct diag *diag)
{
    struct slice rest = {text != NULL ? text : "", NULL};
    rest.end = rest.at + strlen(rest.at);
    while (rest.at < rest.end && isspace((unsigned char)*rest.at))
        rest.at++;
    while (rest.at < rest.end && isspace((unsigned char)rest.end[-1]))
        rest.end--;
    struct exp_dsn parsed = {0};
    if (rest.at < rest.end) {
        enum status status = parse(&parsed, rest, diag);
        if (status != STATUS_OK)
            return status;
    }
    *dsn = parsed;
    return STATUS_OK;
}

bool exp_dsn_is_off(const struct exp_dsn *dsn)
{
    return dsn->host[0] == '\0';
}

const char *exp_dsn_envelope_url(
    const struct exp_dsn *dsn, char url[static EXP_DSN_URL_BYTES])
{
    (void)snprintf(
        url, EXP_DSN_URL_BYTES, "%s://%s:%u%s/api/%s/envelope/",
        dsn->is_tls ? "https" : "http", dsn->host, dsn->port, dsn->prefix,
        dsn->project);
    return url;
}

const char *exp_dsn_auth(
    const struct exp_dsn *dsn, char value[static EXP_DSN_URL_BYTES])
{
    bool has_secret = dsn->secret_key[0] != '\0';
    (void)snprintf(
        value, EXP_DSN_URL_BYTES,
        "Sentry sentry_key=%s, sentry_version=7, sentry_client=%s%s%s",
        dsn->public_key, EXP_CLIENT_NAME "/" EXP_CLIENT_VERSION,
        has_secret ? ", sentry_secret=" : "", dsn->secret_key);
    return value;
}

const char *exp_dsn_organization(
    const struct exp_dsn *dsn, char digits[static EXP_DSN_PART_BYTES])
{
    size_t count = strspn(&dsn->host[dsn->host[0] == 'o'], "0123456789");
    digits[0] = '\0';
    if (dsn->host[0] == 'o' && count > 0 && dsn->host[1 + count] == '.') {
        memcpy(digits, &dsn->host[1], count);
        digits[count] = '\0';
    }
    return digits;
}

/* FNV-1a of 64 bits: told apart, not kept secret. */
static uint64_t hash_text(uint64_t hash, const char *text)
{
    do {
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    } while (*text++ != '\0');
    return hash;
}

const char *exp_dsn_file_name(
    const struct exp_dsn *dsn, char name[static EXP_DSN_PART_BYTES])
{
    char url[EXP_DSN_URL_BYTES];
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    hash = hash_text(hash, exp_dsn_envelope_url(dsn, url));
    hash = hash_text(hash, dsn->public_key);
    (void)snprintf(
        name, EXP_DSN_PART_BYTES, "%.80s-%.80s-%016" PRIx64, dsn->host,
        dsn->project, hash);
    for (char *at = name; *at != '\0'; at++) {
        if (!isalnum((unsigned char)*at) && strchr("-_.", *at) == NULL)
            *at = '_';
    }
    return name;
}
