/* The header of a unit. */
#include "symbolizer/unit_header.h"

#include <dwarf.h>

enum { DWARF_64 = 0xffffffff };

/* Since DWARF 5: the type, and what units of the type have more. */
static void read_type(struct sym_unit_header *header, struct sym_bytes *unit)
{
    header->type = (uint8_t)sym_bytes_fixed(unit, 1);
    header->encoding.address_bytes = (uint8_t)sym_bytes_fixed(unit, 1);
    header->abbrev_offset =
        sym_bytes_fixed(unit, header->encoding.offset_bytes);
    switch (header->type) {
    case DW_UT_skeleton:
    case DW_UT_split_compile:
        header->id = sym_bytes_fixed(unit, 8);
        break;
    case DW_UT_type:
    case DW_UT_split_type: /* its signature, and where the type is */
        sym_bytes_skip(unit, 8 + header->encoding.offset_bytes);
        break;
    default:
        break;
    }
}

bool sym_unit_header_read(
    struct sym_unit_header *header, struct sym_bytes *info)
{
    *header = (struct sym_unit_header){
        .type = DW_UT_compile, .start = info->at, .encoding.offset_bytes = 4};
    uint64_t length = sym_bytes_fixed(info, 4);
    if (length == DWARF_64) {
        header->encoding.offset_bytes = 8;
        length = sym_bytes_fixed(info, 8);
    }
    struct sym_bytes unit = sym_bytes_take(info, length);
    header->encoding.version = (uint16_t)sym_bytes_fixed(&unit, 2);
    if (header->encoding.version >= 5) {
        read_type(header, &unit);
    } else {
        header->abbrev_offset =
            sym_bytes_fixed(&unit, header->encoding.offset_bytes);
        header->encoding.address_bytes = (uint8_t)sym_bytes_fixed(&unit, 1);
    }
    header->dies = unit;
    uint8_t address_bytes = header->encoding.address_bytes;
    return !unit.is_bad && header->encoding.version >= 2 &&
           header->encoding.version <= 5 &&
           (address_bytes == 8 || address_bytes == 4);
}
