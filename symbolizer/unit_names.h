/*
 * Names of functions, read from the bytes of the unit they are in.
 *
 * Most DIEs get their name from themselves or from another DIE of their unit.
 * Only where a chain of origins leaves the unit (LTO, dwz) is libdw asked.
 */
#ifndef SYMBOLIZER_UNIT_NAMES_H
#define SYMBOLIZER_UNIT_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "symbolizer/abbrev.h"
#include "symbolizer/die.h"
#include "symbolizer/unit_header.h"
#include "symbolizer/unit_source.h"

/* What a DIE says of names. */
struct sym_die_facts {
    struct sym_value linkage_name, name, origin;
    bool has_linkage_name, has_name, has_origin;
};

struct sym_unit_names {
    struct sym_die_names *names; /* of the unit's section */
    const struct sym_unit_source *source;
    const struct sym_unit_header *header;
    const struct sym_abbrevs *abbrevs;
    uint64_t string_table; /* the unit's part of .debug_str_offsets */
};

/* Take in one attribute; false when it is about something else. */
bool sym_die_facts_take(
    struct sym_die_facts *facts, uint16_t name, struct sym_value value);

/*
 * The name of the DIE at `die`, of which `facts` are known.
 *
 *   returns  an id; 0 ("") when there is no name, SYM_NO_STRING when out of
 *            memory
 */
uint32_t sym_unit_name(
    const struct sym_unit_names *unit, const uint8_t *die,
    const struct sym_die_facts *facts);

#endif
