/*
 * What Go's table says of an address beside the function: file, line, and the
 * calls that were inlined.
 */
#ifndef SYMBOLIZER_PCLNTAB_FRAMES_H
#define SYMBOLIZER_PCLNTAB_FRAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "symbolizer/pclntab.h"

/* A walk from the innermost frame at an address outwards. */
struct sym_pclntab_walk {
    const struct sym_pclntab *table;
    struct sym_pclntab_function function;
    uint64_t distance; /* of the address, or of a call, from the entry */
    uint32_t steps_left, calls_left; /* a hostile table uses them up */
    bool is_over;
};

/* Strings are the table's. */
struct sym_pclntab_frame {
    const char *function; /* "" damaged */
    const char *file;     /* "" unknown */
    uint32_t line;        /* 0 unknown */
    bool is_inlined;
};

struct sym_pclntab_walk sym_pclntab_walk_begin(
    const struct sym_pclntab *table,
    const struct sym_pclntab_function *function, uint64_t vaddr);

/* The next frame outwards; false when there is none. */
bool sym_pclntab_walk_next(
    struct sym_pclntab_walk *walk, struct sym_pclntab_frame *frame);

/* What came of the walk so far is poorer than it should be: values without an
   end, calls in a circle. */
bool sym_pclntab_walk_is_damaged(const struct sym_pclntab_walk *walk);

#endif
