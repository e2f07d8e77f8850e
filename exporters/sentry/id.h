/* Ids as Sentry writes them: hexadecimal digits in lower case, no dashes. */
#ifndef EXPORTERS_SENTRY_ID_H
#define EXPORTERS_SENTRY_ID_H

#include <stdbool.h>

/* With the NUL: of an event, a chunk, a profiler, a trace. */
#define EXP_ID_BYTES      33
/* Of a span. */
#define EXP_SPAN_ID_BYTES 17

/* A new random one (UUID version 4). Returns `id`. */
const char *exp_id_make(char id[static EXP_ID_BYTES]);

/* A new random one. Returns `id`. */
const char *exp_id_make_span(char id[static EXP_SPAN_ID_BYTES]);

/* Whether this is one, of `digits` digits, and not all of them 0. */
bool exp_id_is_valid(const char *text, int digits);

#endif
