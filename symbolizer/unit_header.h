/* The header of a unit in .debug_info (DWARF 2 to 5, section 7.5.1). */
#ifndef SYMBOLIZER_UNIT_HEADER_H
#define SYMBOLIZER_UNIT_HEADER_H

#include <stdbool.h>
#include <stdint.h>

#include "symbolizer/abbrev.h"
#include "symbolizer/bytes.h"

struct sym_unit_header {
    struct sym_encoding encoding;
    uint8_t type;           /* DW_UT_...; compile before DWARF 5 */
    uint64_t abbrev_offset; /* of its table in .debug_abbrev */
    uint64_t id;            /* of a skeleton or split unit since DWARF 5 */
    const uint8_t *start;   /* what references count from */
    struct sym_bytes dies;  /* from the root to the end of the unit */
};

/* Read a header and move `info` behind its unit; false: it is damaged, or of
   a version or address size that is not known. */
bool sym_unit_header_read(
    struct sym_unit_header *header, struct sym_bytes *info);

#endif
