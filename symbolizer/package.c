/*
 * The index (.debug_cu_index), all numbers of 4 bytes but the ids:
 *
 *   version | columns | units | slots     version 5: 2 bytes and 2 of padding
 *   id[slots] of 8 bytes                  a hash table, 0 for an empty slot
 *   row[slots]                            from 1 on, 0 for an empty slot
 *   section[columns]
 *   offset[units][columns]
 *   size[units][columns]
 *
 * The slot of an id is its low bits; the next one to try is further by its
 * high half, made odd.
 */
#include "symbolizer/package.h"

#include <string.h>

#include "symbolizer/bytes.h"

/* Numbers of sections that are the same in both versions, and one that is
   not: 8 is .debug_macro in version 2. */
enum {
    SECT_INFO = 1,
    SECT_ABBREV = 3,
    SECT_STR_OFFSETS = 6,
    SECT_RNGLISTS = 8,
};

static uint32_t number_at(const uint8_t *rows, uint64_t index)
{
    uint32_t number;
    memcpy(&number, rows + index * sizeof number, sizeof number);
    return number;
}

static const uint8_t *take(
    struct sym_bytes *bytes, uint64_t count, unsigned width)
{
    /* Counts are of 32 bits: the product of two and a width fits in none. */
    if (count > sym_bytes_left(bytes) / width) {
        sym_bytes_spoil(bytes);
        return NULL;
    }
    return sym_bytes_take(bytes, count * width).at;
}

static bool read_index(struct sym_package *package, struct sym_bytes bytes)
{
    package->version = (uint32_t)sym_bytes_fixed(&bytes, 4);
    if (package->version != 2)
        package->version &= 0xffff; /* the upper half is padding */
    package->column_count = (uint32_t)sym_bytes_fixed(&bytes, 4);
    package->unit_count = (uint32_t)sym_bytes_fixed(&bytes, 4);
    package->slot_count = (uint32_t)sym_bytes_fixed(&bytes, 4);
    uint32_t slots = package->slot_count;
    if ((package->version != 2 && package->version != 5) || slots == 0 ||
        (slots & (slots - 1)) != 0)
        return false;
    uint64_t cells = (uint64_t)package->unit_count * package->column_count;
    package->ids = take(&bytes, slots, 8);
    package->rows = take(&bytes, slots, 4);
    package->columns = take(&bytes, package->column_count, 4);
    package->offsets = take(&bytes, cells, 4);
    package->sizes = take(&bytes, cells, 4);
    return !bytes.is_bad;
}

static bool is_within_reach(const struct sym_package *package)
{
    const struct sym_section_bytes sections[] = {
        package->abbrev, package->str, package->str_offsets, package->rnglists};
    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++) {
        if (sections[i].count > UINT32_MAX)
            return false;
    }
    return true;
}

enum status sym_package_open(
    struct sym_package *package, const struct sym_image *image,
    struct diag *diag)
{
    struct sym_section_bytes index = sym_image_bytes(image, ".debug_cu_index");
    *package = (struct sym_package){
        .info = sym_image_bytes(image, ".debug_info.dwo"),
        .abbrev = sym_image_bytes(image, ".debug_abbrev.dwo"),
        .str = sym_image_bytes(image, ".debug_str.dwo"),
        .str_offsets = sym_image_bytes(image, ".debug_str_offsets.dwo"),
        .rnglists = sym_image_bytes(image, ".debug_rnglists.dwo")};
    if (!read_index(package, sym_bytes_of(index.start, index.count, 0)))
        return fail(
            diag, STATUS_MALFORMED, "'%s' is no package of debug information",
            image->path);
    return is_within_reach(package)
               ? STATUS_OK
               : fail(
                     diag, STATUS_LIMIT,
                     "'%s' has a section of more than 4 GiB, beyond its index",
                     image->path);
}

/* The unit's row, from 0 on. */
static bool find_row(
    const struct sym_package *package, uint64_t id, uint32_t *row)
{
    uint32_t mask = package->slot_count - 1;
    uint32_t slot = (uint32_t)id & mask;
    uint32_t step = ((uint32_t)(id >> 32) & mask) | 1;
    for (uint32_t tries = 0; tries <= mask; tries++) {
        uint64_t found;
        memcpy(&found, package->ids + (uint64_t)slot * 8, sizeof found);
        uint32_t number = number_at(package->rows, slot);
        if (number == 0)
            return false;
        if (found == id) {
            *row = number - 1;
            return number <= package->unit_count;
        }
        slot = (slot + step) & mask;
    }
    return false;
}

/* Part of a section; nothing when it reaches beyond its end. */
static struct sym_section_bytes part_of(
    struct sym_section_bytes section, uint32_t offset, uint32_t bytes)
{
    if (section.start == NULL || offset > section.count ||
        bytes > section.count - offset)
        return (struct sym_section_bytes){0};
    return (struct sym_section_bytes){
        .start = (const uint8_t *)section.start + offset, .count = bytes};
}

bool sym_package_find(
    const struct sym_package *package, uint64_t id,
    struct sym_unit_source *source)
{
    uint32_t row;
    if (!find_row(package, id, &row))
        return false;
    source->str = package->str;
    source->offset = 0;
    for (uint32_t i = 0; i < package->column_count; i++) {
        uint64_t cell = (uint64_t)row * package->column_count + i;
        uint32_t offset = number_at(package->offsets, cell);
        uint32_t bytes = number_at(package->sizes, cell);
        switch (number_at(package->columns, i)) {
        case SECT_INFO:
            source->info = part_of(package->info, offset, bytes);
            break;
        case SECT_ABBREV:
            source->abbrev = part_of(package->abbrev, offset, bytes);
            break;
        case SECT_STR_OFFSETS:
            source->str_offsets = part_of(package->str_offsets, offset, bytes);
            break;
        case SECT_RNGLISTS:
            if (package->version == 5)
                source->bases.rnglists =
                    part_of(package->rnglists, offset, bytes);
            break;
        default:
            break;
        }
    }
    return source->info.start != NULL;
}
