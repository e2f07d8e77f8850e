/* Interned strings that never move, and their demangled forms. */
#ifndef SYMBOLIZER_STRINGS_H
#define SYMBOLIZER_STRINGS_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/base/table.h"

#define SYM_NO_STRING UINT32_MAX

struct sym_strings {
    struct table chunks;  /* char *: blocks the text lives in */
    struct table entries; /* one per id */
    struct index index;
    size_t chunk_bytes, used_bytes; /* of the newest chunk */
};

/* An empty set has "" as id 0. False when out of memory. */
bool sym_strings_init(struct sym_strings *strings);
void sym_strings_fini(struct sym_strings *strings);

/* The id of a text without NULs; SYM_NO_STRING when out of memory. */
uint32_t sym_strings_add(
    struct sym_strings *strings, const char *text, size_t bytes);

/* Stays valid until sym_strings_fini(). SYM_NO_STRING gives "". */
const char *sym_strings_text(const struct sym_strings *strings, uint32_t id);

/*
 * The text as a person writes it, when it is a mangled C++ or Rust name, else
 * the text itself. Worked out once per id. NULL when out of memory.
 */
const char *sym_strings_demangled(struct sym_strings *strings, uint32_t id);

#endif
