/* Moments as RFC 3339 writes them. */
#include "exporters/sentry/time_text.h"

#include <stdio.h>
#include <time.h>

const char *exp_time_text(uint64_t unix_ms, char text[static EXP_TIME_BYTES])
{
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm parts;
    (void)gmtime_r(&seconds, &parts);
    size_t used = strftime(text, EXP_TIME_BYTES, "%Y-%m-%dT%H:%M:%S", &parts);
    (void)snprintf(
        text + used, EXP_TIME_BYTES - used, ".%03uZ",
        (unsigned)(unix_ms % 1000));
    return text;
}
