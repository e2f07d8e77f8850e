/*
 * Interned strings: the same text has the same id. Ids are dense, from 0.
 *
 * Part of the profile model, and known to nobody else.
 */
#ifndef PROFILER_MODEL_STRINGS_H
#define PROFILER_MODEL_STRINGS_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/base/table.h"

struct prof_strings {
    struct table text; /* bytes of all strings, each ended by a NUL */
    struct table at;   /* uint32_t offsets into `text` */
    struct index ids;  /* of `at` */
};

void prof_strings_init(struct prof_strings *strings);
void prof_strings_fini(struct prof_strings *strings);

/* The id of a text, which ends after `bytes` or at a NUL; PROF_NONE: none. */
uint32_t prof_strings_find(
    const struct prof_strings *strings, const char *text, size_t bytes);

/* The same of one that is not there yet; PROF_NONE when out of memory. */
uint32_t prof_strings_add(
    struct prof_strings *strings, const char *text, size_t bytes);

/* Borrowed until the next add; "" for PROF_NONE. */
const char *prof_strings_text(const struct prof_strings *strings, uint32_t id);

#endif
