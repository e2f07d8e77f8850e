/*
 * Where a unit's DIEs and what they point to are found.
 *
 * Every offset in a unit counts from the start of one of these areas. For a
 * unit in the file itself they are whole sections; for one in a package (.dwp)
 * they are the parts that its index gives to the unit.
 */
#ifndef SYMBOLIZER_UNIT_SOURCE_H
#define SYMBOLIZER_UNIT_SOURCE_H

#include <elfutils/libdw.h>

#include "symbolizer/budget.h"
#include "symbolizer/lines.h"
#include "symbolizer/range_list.h"

struct sym_unit_source {
    struct sym_section_bytes info;
    uint64_t offset; /* of the unit's header in it */
    struct sym_section_bytes abbrev, str, line_str, str_offsets;

    /* Of a split unit all of it is known before the root is read, most from
       its skeleton; of others the sections only. */
    struct sym_bases bases;
    uint64_t string_table;
    bool is_split;

    struct sym_budget *budget; /* NULL: there is no limit */
    Dwarf *dwarf;              /* knows the unit too; NULL for a split one */
};

#endif
