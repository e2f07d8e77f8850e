/* Lists of address ranges: .debug_ranges and .debug_rnglists. */
#ifndef SYMBOLIZER_RANGE_LIST_H
#define SYMBOLIZER_RANGE_LIST_H

#include <stdbool.h>
#include <stdint.h>

#include "symbolizer/abbrev.h"
#include "symbolizer/lines.h"
#include "symbolizer/tree.h"

/* What a unit's addresses and ranges are relative to. */
struct sym_bases {
    struct sym_encoding encoding;
    uint64_t low_pc;        /* of the unit */
    uint64_t address_table; /* its part of .debug_addr */
    uint64_t range_table;   /* its part of .debug_rnglists */
    uint64_t ranges_base;   /* its part of .debug_ranges, of a split unit */
    struct sym_section_bytes addr, ranges, rnglists;
};

/* An address given as such or by its place in .debug_addr; false: damaged. */
bool sym_address_read(
    const struct sym_bases *bases, struct sym_value value, uint64_t *address);

/* Give the list that DW_AT_ranges names to the tree; false: damaged. */
bool sym_range_list_read(
    const struct sym_bases *bases, struct sym_value value,
    struct sym_tree *tree);

#endif
