/*
 * Whether a command that ends waits for an index that is being made: if it will
 * come soon, by what has been done so far, within as long as the command has
 * lived since the first was asked for; but not for one that gets no processor.
 */
#ifndef SYMBOLIZER_PATIENCE_H
#define SYMBOLIZER_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

/* What is known at one moment; times by CLOCK_MONOTONIC. */
struct sym_patience {
    uint64_t now_ns;
    uint64_t asked_ns; /* of the first index */
    uint64_t begun_ns; /* of the present one; 0: not yet */
    unsigned done;     /* of SYM_SURVEY_WHOLE */
    bool knows_used;
    uint64_t used_ns; /* CPU time of the present one, if that is known */
};

/* When to wait no longer, whatever comes: by the first of the moments. */
uint64_t sym_patience_end_ns(const struct sym_patience *patience);

/* Whether to wait on, to that end. */
bool sym_patience_lasts(const struct sym_patience *patience, uint64_t end_ns);

#endif
