/* What the environment says about reports. */
#include "tools/sentry_settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "profiler/base/clock.h"
#include "tools/tool.h"

static const uint64_t default_chunk_ns = UINT64_C(15) * 1000000000;
static const uint64_t longest_chunk_ns = UINT64_C(60) * 1000000000;

/* The one of that name, which the latter of two settings settles, or a new
   one; NULL: there are too many. */
static struct exp_tag *find_tag(
    struct exp_scope *scope, const char *key, size_t bytes)
{
    for (size_t i = 0; i < scope->tag_count; i++) {
        struct exp_tag *tag = &scope->tags[i];
        if (strlen(tag->key) == bytes && memcmp(tag->key, key, bytes) == 0)
            return tag;
    }
    return scope->tag_count < EXP_TAGS_MAX ? &scope->tags[scope->tag_count++]
                                           : NULL;
}

static enum status add_tag(
    struct exp_scope *scope, const char *text, size_t length, struct diag *diag)
{
    const char *equals = memchr(text, '=', length);
    size_t key = equals != NULL ? (size_t)(equals - text) : 0;
    size_t value = equals != NULL ? length - key - 1 : 0;
    if (key == 0 || key >= EXP_TAG_BYTES || value >= EXP_TAG_BYTES)
        return fail(
            diag, STATUS_USAGE,
            "tag '%.*s' is not KEY=VALUE, each below %d bytes", (int)length,
            text, EXP_TAG_BYTES);
    struct exp_tag *tag = find_tag(scope, text, key);
    if (tag == NULL)
        return fail(
            diag, STATUS_USAGE, "there are more than %d tags: '%.*s'",
            EXP_TAGS_MAX, (int)length, text);
    (void)snprintf(tag->key, sizeof tag->key, "%.*s", (int)key, text);
    (void)snprintf(
        tag->value, sizeof tag->value, "%.*s", (int)value, equals + 1);
    return STATUS_OK;
}

enum status sentry_settings_add_tags(
    struct exp_scope *scope, const char *list, struct diag *diag)
{
    while (*list != '\0') {
        size_t length = strcspn(list, ",");
        enum status status = add_tag(scope, list, length, diag);
        if (status != STATUS_OK)
            return status;
        list += length + (list[length] == ',');
    }
    return STATUS_OK;
}

/* As other SDKs read what is yes or no. */
static bool is_set(const char *name)
{
    const char *value = getenv(name);
    return value != NULL &&
           (strcmp(value, "1") == 0 || strcmp(value, "true") == 0 ||
            strcmp(value, "yes") == 0 || strcmp(value, "on") == 0);
}

/* A share; what it is without the variable stays. */
static enum status read_share(
    const char *name, double *share, struct diag *diag)
{
    const char *text = getenv(name);
    char *end;
    if (text == NULL || *text == '\0')
        return STATUS_OK;
    double read = strtod(text, &end);
    if (*end != '\0' || !(read >= 0 && read <= 1))
        return fail(
            diag, STATUS_USAGE, "%s=%s is not a share from 0 to 1", name, text);
    *share = read;
    return STATUS_OK;
}

static enum status read_shares(
    struct sentry_settings *settings, struct diag *diag)
{
    enum status status =
        read_share("SENTRY_SAMPLE_RATE", &settings->event_rate, diag);
    if (status == STATUS_OK)
        status = read_share(
            "SENTRY_TRACES_SAMPLE_RATE", &settings->trace_rate, diag);
    if (status == STATUS_OK)
        status = read_share(
            "SENTRY_PROFILE_SESSION_SAMPLE_RATE", &settings->profile_rate,
            diag);
    return status;
}

static enum status read_lifecycle(bool *is_by_trace, struct diag *diag)
{
    const char *text = getenv("SENTRY_PROFILE_LIFECYCLE");
    *is_by_trace = text != NULL && strcmp(text, "trace") == 0;
    if (text == NULL || *text == '\0' || *is_by_trace ||
        strcmp(text, "manual") == 0)
        return STATUS_OK;
    return fail(
        diag, STATUS_USAGE,
        "SENTRY_PROFILE_LIFECYCLE=%s is neither manual nor trace", text);
}

static enum status read_chunk(uint64_t *chunk_ns, struct diag *diag)
{
    const char *text = getenv("WATCHFIRE_CHUNK");
    *chunk_ns = default_chunk_ns;
    if (text != NULL && *text != '\0' &&
        (!parse_duration(text, chunk_ns) || *chunk_ns > longest_chunk_ns))
        return fail(
            diag, STATUS_USAGE,
            "WATCHFIRE_CHUNK=%s is not a time such as 10s, of 60s at most",
            text);
    return STATUS_OK;
}

enum status sentry_settings_read_scope(
    struct exp_scope *scope, struct diag *diag)
{
    static const char *const lists[] = {"SENTRY_TAGS", "WATCHFIRE_TAGS"};
    *scope = (struct exp_scope){
        .release = getenv("SENTRY_RELEASE"),
        .environment = getenv("SENTRY_ENVIRONMENT"),
        .dist = getenv("SENTRY_DIST"),
        .server_name = getenv("SENTRY_SERVER_NAME"),
        .in_app = getenv("WATCHFIRE_IN_APP"),
        .is_pii_sent = is_set("SENTRY_SEND_DEFAULT_PII")};
    enum status status = STATUS_OK;
    for (size_t i = 0; i < 2 && status == STATUS_OK; i++) {
        const char *tags = getenv(lists[i]);
        if (tags != NULL)
            status = sentry_settings_add_tags(scope, tags, diag);
    }
    return status;
}

enum status sentry_settings_read(
    struct sentry_settings *settings, struct diag *diag)
{
    struct diag reason = {.status = STATUS_OK};
    *settings = (struct sentry_settings){.event_rate = 1, .profile_rate = 1};
    enum status status =
        exp_dsn_parse(&settings->dsn, getenv("SENTRY_DSN"), &reason);
    if (status != STATUS_OK)
        return fail(diag, status, "nothing is reported: %s", reason.text);
    status = read_shares(settings, diag);
    if (status == STATUS_OK)
        status = read_lifecycle(&settings->is_by_trace, diag);
    if (status == STATUS_OK)
        status = read_chunk(&settings->chunk_ns, diag);
    if (status == STATUS_OK)
        status = sentry_settings_read_scope(&settings->scope, diag);
    return status;
}

bool sentry_settings_draw(double rate)
{
    uint32_t random = 0;
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
        random = (uint32_t)clock_now_ns(CLOCK_MONOTONIC);
    return (double)random < rate * 4294967296.0;
}
