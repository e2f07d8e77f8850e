/*
 * What a backend asks not to be sent for a while, by category. Times are of
 * the wall clock, as they are kept on disk: a restart honours them.
 */
#ifndef EXPORTERS_SENTRY_RATE_LIMITS_H
#define EXPORTERS_SENTRY_RATE_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "exporters/sentry/category.h"

/* No limit is longer, whatever a backend says or a clock does. */
#define EXP_RATE_LIMIT_MAX_MS (UINT64_C(24) * 3600 * 1000)

struct exp_rate_limits {
    uint64_t until_ms[EXP_CATEGORY_COUNT]; /* since 1970; 0: none */
};

/* What an answer says of it. */
struct exp_rate_answer {
    int status;              /* of HTTP */
    const char *rate_limits; /* X-Sentry-Rate-Limits; several are joined by
                                commas; NULL: there was none */
    const char *retry_after; /* Retry-After, or NULL */
};

/*
 * Take over what an answer says: X-Sentry-Rate-Limits with any status; without
 * one that can be read, and status 429, Retry-After (seconds or a date), or
 * else 60 s, for all categories. Of an old and a new limit the longer one
 * stays. Categories that are not known are ignored, a limit whose number
 * cannot be read is as well.
 *
 *   returns  whether anything changed
 */
bool exp_rate_limits_take(
    struct exp_rate_limits *limits, const struct exp_rate_answer *answer,
    uint64_t now_ms);

/* Whether a category may not be sent now. Client reports always may. */
bool exp_rate_limits_hold(
    const struct exp_rate_limits *limits, enum exp_category category,
    uint64_t now_ms);

/* Of each category the longer one. */
void exp_rate_limits_merge(
    struct exp_rate_limits *limits, const struct exp_rate_limits *others);

/* "60", "0.5" or a date of HTTP, to ms from now on; false when it is none. */
bool exp_retry_after_parse(
    const char *text, uint64_t now_ms, uint64_t *wait_ms);

struct exp_writer;

/* As text for a file, and back; a line that makes no sense is ignored. */
void exp_rate_limits_write(
    const struct exp_rate_limits *limits, struct exp_writer *writer);
void exp_rate_limits_read(
    struct exp_rate_limits *limits, const char *text, uint64_t now_ms);

#endif
