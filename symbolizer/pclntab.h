/*
 * Names of Go's functions, from the table its runtime needs for tracebacks.
 *
 * It stays where symbol tables and DWARF were stripped (-ldflags="-s -w"), and
 * is complete. All four forms there have been are read: of Go 1.2, 1.16, 1.18
 * and 1.20 (cmd/link and debug/gosym of each).
 */
#ifndef SYMBOLIZER_PCLNTAB_H
#define SYMBOLIZER_PCLNTAB_H

#include <stdbool.h>

#include "symbolizer/image.h"
#include "symbolizer/names.h"

/*
 * Add a symbol for every function of the table, if the file has one. What is
 * damaged is passed over.
 *
 *   returns  false when out of memory
 */
bool sym_names_add_pclntab(
    struct sym_names *names, const struct sym_image *image);

#endif
