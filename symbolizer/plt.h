/* Names for the stubs through which a file calls other files. */
#ifndef SYMBOLIZER_PLT_H
#define SYMBOLIZER_PLT_H

#include <stdbool.h>

#include "symbolizer/image.h"
#include "symbolizer/names.h"

/*
 * Add a symbol for every stub of the procedure linkage table, named after the
 * function it jumps to. Stubs have no symbols of their own, yet a program that
 * calls small functions spends time in them.
 *
 *   returns  false when out of memory
 */
bool sym_names_add_plt(struct sym_names *names, const struct sym_image *image);

#endif
