/* What a backend asks not to be sent for a while. */
#include "exporters/sentry/rate_limits.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "exporters/writer.h"

enum { DEFAULT_WAIT_MS = 60 * 1000 };

/* A part of a header, and what is left of it. */
struct part {
    const char *at, *end;
};

/* Cut what is before the next `separator` off; without blanks around it. */
static bool cut(struct part *rest, char separator, struct part *part)
{
    if (rest->at == NULL)
        return false;
    const char *found =
        memchr(rest->at, separator, (size_t)(rest->end - rest->at));
    *part = (struct part){rest->at, found != NULL ? found : rest->end};
    rest->at = found != NULL ? found + 1 : NULL;
    while (part->at < part->end && (*part->at == ' ' || *part->at == '\t'))
        part->at++;
    while (part->at < part->end &&
           (part->end[-1] == ' ' || part->end[-1] == '\t'))
        part->end--;
    return true;
}

/* Seconds, with or without a fraction; rounded up to ms, and capped. */
static bool parse_seconds(struct part part, uint64_t *wait_ms)
{
    double seconds = 0, unit = 1;
    bool has_digit = false, is_fraction = false;
    for (const char *at = part.at; at < part.end; at++) {
        if (*at == '.' && !is_fraction) {
            is_fraction = true;
            continue;
        }
        if (*at < '0' || *at > '9')
            return false;
        has_digit = true;
        if (is_fraction)
            unit /= 10;
        seconds = is_fraction ? seconds + (*at - '0') * unit
                              : seconds * 10 + (*at - '0');
    }
    if (!has_digit)
        return false;
    *wait_ms = seconds * 1000 < (double)EXP_RATE_LIMIT_MAX_MS
                   ? (uint64_t)(seconds * 1000 + 0.999)
                   : EXP_RATE_LIMIT_MAX_MS;
    return true;
}

bool exp_retry_after_parse(const char *text, uint64_t now_ms, uint64_t *wait_ms)
{
    struct part rest = {text, text + strlen(text)}, whole;
    struct tm date = {0};
    (void)cut(&rest, '\n', &whole);
    if (parse_seconds(whole, wait_ms))
        return true;
    const char *end = strptime(whole.at, "%a, %d %b %Y %H:%M:%S GMT", &date);
    if (end == NULL || end != whole.end)
        return false;
    int64_t wait = (int64_t)timegm(&date) * 1000 - (int64_t)now_ms;
    *wait_ms = wait > 0 ? (uint64_t)wait : 0;
    if (*wait_ms > EXP_RATE_LIMIT_MAX_MS)
        *wait_ms = EXP_RATE_LIMIT_MAX_MS;
    return true;
}

static bool raise(
    struct exp_rate_limits *limits, enum exp_category category,
    uint64_t until_ms)
{
    if (limits->until_ms[category] >= until_ms)
        return false;
    limits->until_ms[category] = until_ms;
    return true;
}

static bool raise_all(struct exp_rate_limits *limits, uint64_t until_ms)
{
    bool is_changed = false;
    for (int category = 0; category < EXP_CATEGORY_COUNT; category++)
        is_changed |= raise(limits, (enum exp_category)category, until_ms);
    return is_changed;
}

/*
 * One limit, retry_after:categories:scope:reason:namespaces; what follows the
 * categories does not matter.
 */
static bool take_limit(
    struct exp_rate_limits *limits, struct part limit, uint64_t now_ms,
    bool *is_changed)
{
    struct part seconds, categories = {0}, name;
    uint64_t wait_ms;
    if (!cut(&limit, ':', &seconds) || !parse_seconds(seconds, &wait_ms))
        return false;
    if (!cut(&limit, ':', &categories) || categories.at == categories.end) {
        *is_changed |= raise_all(limits, now_ms + wait_ms);
        return true;
    }
    while (cut(&categories, ';', &name)) {
        enum exp_category category =
            exp_category_find(name.at, (size_t)(name.end - name.at));
        if (category < EXP_CATEGORY_COUNT)
            *is_changed |= raise(limits, category, now_ms + wait_ms);
    }
    return true;
}

bool exp_rate_limits_take(
    struct exp_rate_limits *limits, const struct exp_rate_answer *answer,
    uint64_t now_ms)
{
    bool is_changed = false, has_limit = false;
    uint64_t wait_ms;
    if (answer->rate_limits != NULL) {
        struct part rest = {
            answer->rate_limits,
            answer->rate_limits + strlen(answer->rate_limits)};
        struct part limit;
        while (cut(&rest, ',', &limit))
            has_limit |= take_limit(limits, limit, now_ms, &is_changed);
    }
    if (has_limit || answer->status != 429)
        return is_changed;
    if (answer->retry_after == NULL ||
        !exp_retry_after_parse(answer->retry_after, now_ms, &wait_ms))
        wait_ms = DEFAULT_WAIT_MS;
    return raise_all(limits, now_ms + wait_ms);
}

bool exp_rate_limits_hold(
    const struct exp_rate_limits *limits, enum exp_category category,
    uint64_t now_ms)
{
    return category != EXP_CATEGORY_INTERNAL &&
           limits->until_ms[category] > now_ms;
}

void exp_rate_limits_merge(
    struct exp_rate_limits *limits, const struct exp_rate_limits *others)
{
    for (int category = 0; category < EXP_CATEGORY_COUNT; category++)
        (void)raise(
            limits, (enum exp_category)category, others->until_ms[category]);
}

void exp_rate_limits_write(
    const struct exp_rate_limits *limits, struct exp_writer *writer)
{
    for (int category = 0; category < EXP_CATEGORY_COUNT; category++) {
        if (limits->until_ms[category] != 0)
            exp_write_format(
                writer, "%s %" PRIu64 "\n",
                exp_category_name((enum exp_category)category),
                limits->until_ms[category]);
    }
}

void exp_rate_limits_read(
    struct exp_rate_limits *limits, const char *text, uint64_t now_ms)
{
    *limits = (struct exp_rate_limits){0};
    while (text != NULL && *text != '\0') {
        char name[32];
        uint64_t until_ms;
        if (sscanf(text, "%31s %" SCNu64, name, &until_ms) == 2) {
            enum exp_category category = exp_category_find(name, strlen(name));
            /* The clock may have been set back since. */
            if (until_ms > now_ms + EXP_RATE_LIMIT_MAX_MS)
                until_ms = now_ms + EXP_RATE_LIMIT_MAX_MS;
            if (category < EXP_CATEGORY_COUNT)
                limits->until_ms[category] = until_ms;
        }
        text = strchr(text, '\n');
        text = text != NULL ? text + 1 : NULL;
    }
}
