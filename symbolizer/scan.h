/*
 * The quick way through the DIEs of a unit: one pass over its bytes, in which
 * only functions and inlined calls are decoded. libdw remains for units that
 * are encoded in a way that is not known here, for names that are in another
 * unit or file, and as the measure of this code in tests.
 */
#ifndef SYMBOLIZER_SCAN_H
#define SYMBOLIZER_SCAN_H

#include <stdbool.h>

#include "symbolizer/die.h"
#include "symbolizer/tree.h"
#include "symbolizer/unit_source.h"

/*
 * Fill `tree` with the functions and inlined calls of a unit.
 *
 *   language  receives DW_AT_language; 0: the root has none
 *   returns  false when the unit is not understood; what is in the tree by
 *            then is to be thrown away. A failure of the tree itself (limits,
 *            memory) is true.
 */
bool sym_scan_unit(
    struct sym_tree *tree, struct sym_die_names *names,
    const struct sym_unit_source *source, uint64_t *language);

#endif
