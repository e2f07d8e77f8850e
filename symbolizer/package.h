/*
 * Packages of split units (.dwp): one file with the units of many .dwo files,
 * and an index from a unit's id to its parts of the sections (DWARF 5, section
 * 7.3.5; before it GNU's version 2, from which it differs in the numbers of
 * sections).
 *
 * The index of type units (.debug_tu_index) is not read: what is in them, no
 * function and no inlined call is made of, and the declarations that names are
 * taken from are in the unit itself.
 *
 * Offsets in an index have 32 bits, in 64-bit DWARF too. Tools that pack more
 * than 4 GiB refuse, or let them wrap: then they lead to another unit's part.
 * In .debug_info.dwo the unit's id tells; what another section holds tells
 * nothing, so a package with a larger one is not used.
 */
#ifndef SYMBOLIZER_PACKAGE_H
#define SYMBOLIZER_PACKAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "symbolizer/image.h"
#include "symbolizer/unit_source.h"

struct sym_package {
    uint32_t version;                              /* of the index: 2 or 5 */
    uint32_t column_count, unit_count, slot_count; /* slots: a power of two */
    const uint8_t *ids, *rows;                     /* of the hash table */
    const uint8_t *columns;                        /* the section of each */
    const uint8_t *offsets, *sizes;                /* row by row */
    struct sym_section_bytes info, abbrev, str, str_offsets, rnglists;
};

/*
 * Read the index; `image`, not compressed, must outlive the package.
 *
 *   errors   MALFORMED: there is none, or it is damaged; LIMIT: its offsets do
 *            not reach all of the package
 */
MUST_CHECK enum status sym_package_open(
    struct sym_package *package, const struct sym_image *image,
    struct diag *diag);

/* Set the areas of `source` to the parts of the unit; false: not there. */
bool sym_package_find(
    const struct sym_package *package, uint64_t id,
    struct sym_unit_source *source);

#endif
