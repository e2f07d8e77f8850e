/* Clean, interned texts; see exporters/frames.h for what clean means. */
#ifndef EXPORTERS_NAMES_H
#define EXPORTERS_NAMES_H

#include <stdint.h>

#include "profiler/base/table.h"

struct exp_names {
    struct table text;   /* bytes of all names, each ended by a NUL */
    struct table string; /* uint32_t offsets into `text` */
    struct index index;
};

void exp_names_init(struct exp_names *names);
void exp_names_fini(struct exp_names *names);

/* The id of a text once it is clean; TABLE_NONE when out of memory. */
uint32_t exp_names_add(struct exp_names *names, const char *text);

/* Valid until the next add. */
const char *exp_names_text(const struct exp_names *names, uint32_t id);

#endif
