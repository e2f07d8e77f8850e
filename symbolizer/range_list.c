/* Lists of address ranges (DWARF 2 to 4: section 2.17.3; 5: 7.25). */
#include "symbolizer/range_list.h"

#include <dwarf.h>

static bool indexed_address(
    const struct sym_bases *bases, uint64_t index, uint64_t *address)
{
    unsigned width = bases->encoding.address_bytes;
    if (index > bases->addr.count)
        return false; /* and the product below cannot overflow */
    struct sym_bytes bytes = sym_bytes_of(
        bases->addr.start, bases->addr.count,
        bases->address_table + index * width);
    *address = sym_bytes_fixed(&bytes, width);
    return !bytes.is_bad;
}

bool sym_address_read(
    const struct sym_bases *bases, struct sym_value value, uint64_t *address)
{
    *address = value.number;
    if (value.kind == SYM_VALUE_ADDRESS_INDEX)
        return indexed_address(bases, value.number, address);
    return value.kind == SYM_VALUE_ADDRESS;
}

/* ---- .debug_ranges: pairs until two zeros ---- */

static bool read_pairs(
    const struct sym_bases *bases, uint64_t offset, struct sym_tree *tree)
{
    unsigned width = bases->encoding.address_bytes;
    uint64_t new_base = width == 8 ? UINT64_MAX : UINT32_MAX;
    uint64_t base = bases->low_pc;
    struct sym_bytes bytes = sym_bytes_of(
        bases->ranges.start, bases->ranges.count, bases->ranges_base + offset);
    for (;;) {
        uint64_t start = sym_bytes_fixed(&bytes, width);
        uint64_t end = sym_bytes_fixed(&bytes, width);
        if (bytes.is_bad)
            return false;
        if (start == 0 && end == 0)
            return true;
        if (start == new_base)
            base = end;
        else if (!sym_tree_add_range(tree, base + start, base + end))
            return true;
    }
}

/* ---- .debug_rnglists: one byte says what follows ---- */

/* A list being read. */
struct reader {
    const struct sym_bases *bases;
    struct sym_bytes bytes;
    uint64_t base;
    bool is_range; /* the entry just read gave start and end */
    uint64_t start, end;
};

static uint64_t read_address(struct reader *reader)
{
    return sym_bytes_fixed(
        &reader->bytes, reader->bases->encoding.address_bytes);
}

static uint64_t read_index(struct reader *reader)
{
    uint64_t address = 0;
    if (!indexed_address(
            reader->bases, sym_bytes_uleb(&reader->bytes), &address))
        reader->bytes.is_bad = true;
    return address;
}

static void read_entry(struct reader *reader, uint64_t kind)
{
    struct sym_bytes *bytes = &reader->bytes;
    reader->is_range = true;
    switch (kind) {
    case DW_RLE_base_addressx:
        reader->base = read_index(reader);
        reader->is_range = false;
        break;
    case DW_RLE_base_address:
        reader->base = read_address(reader);
        reader->is_range = false;
        break;
    case DW_RLE_startx_endx:
        reader->start = read_index(reader);
        reader->end = read_index(reader);
        break;
    case DW_RLE_startx_length:
        reader->start = read_index(reader);
        reader->end = reader->start + sym_bytes_uleb(bytes);
        break;
    case DW_RLE_offset_pair:
        reader->start = reader->base + sym_bytes_uleb(bytes);
        reader->end = reader->base + sym_bytes_uleb(bytes);
        break;
    case DW_RLE_start_end:
        reader->start = read_address(reader);
        reader->end = read_address(reader);
        break;
    case DW_RLE_start_length:
        reader->start = read_address(reader);
        reader->end = reader->start + sym_bytes_uleb(bytes);
        break;
    default:
        bytes->is_bad = true;
    }
}

static bool read_entries(
    const struct sym_bases *bases, uint64_t offset, struct sym_tree *tree)
{
    struct reader reader = {
        .bases = bases,
        .bytes =
            sym_bytes_of(bases->rnglists.start, bases->rnglists.count, offset),
        .base = bases->low_pc};
    for (;;) {
        uint64_t kind = sym_bytes_fixed(&reader.bytes, 1);
        if (kind == DW_RLE_end_of_list)
            return !reader.bytes.is_bad;
        read_entry(&reader, kind);
        if (reader.bytes.is_bad)
            return false;
        if (reader.is_range &&
            !sym_tree_add_range(tree, reader.start, reader.end))
            return true;
    }
}

/* The table of offsets, relative to its own start, before the lists. */
static bool indexed_list(
    const struct sym_bases *bases, uint64_t index, uint64_t *offset)
{
    unsigned width = bases->encoding.offset_bytes;
    if (index > bases->rnglists.count)
        return false;
    struct sym_bytes bytes = sym_bytes_of(
        bases->rnglists.start, bases->rnglists.count,
        bases->range_table + index * width);
    *offset = bases->range_table + sym_bytes_fixed(&bytes, width);
    return !bytes.is_bad;
}

bool sym_range_list_read(
    const struct sym_bases *bases, struct sym_value value,
    struct sym_tree *tree)
{
    uint64_t offset = value.number;
    if (value.kind == SYM_VALUE_RANGES_INDEX) {
        if (!indexed_list(bases, value.number, &offset))
            return false;
    } else if (value.kind != SYM_VALUE_NUMBER) {
        return false;
    }
    return bases->encoding.version >= 5 ? read_entries(bases, offset, tree)
                                        : read_pairs(bases, offset, tree);
}
