/* Moments as RFC 3339 writes them, in UTC: 2026-11-26T03:09:41.123Z. */
#ifndef EXPORTERS_SENTRY_TIME_TEXT_H
#define EXPORTERS_SENTRY_TIME_TEXT_H

#include <stdint.h>

#define EXP_TIME_BYTES 64

/* `unix_ms` since 1970. Returns `text`. */
const char *exp_time_text(uint64_t unix_ms, char text[static EXP_TIME_BYTES]);

#endif
