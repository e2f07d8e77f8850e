/*
 * The full tier of one module: which compilation unit an address belongs to.
 *
 * Only the root DIE of every unit is read to begin with. .debug_aranges is not
 * used: clang and rustc do not write it, and where it exists it is not always
 * complete. Units may overlap: a template's one body is described by every
 * unit that used it. Then one that has a function at the address has it, the
 * first of the file if several have a range that starts alike.
 */
#ifndef SYMBOLIZER_DEBUG_INFO_H
#define SYMBOLIZER_DEBUG_INFO_H

#include <stdbool.h>
#include <stdint.h>

#include <elfutils/libdw.h>

#include "profiler/base/status.h"
#include "profiler/base/table.h"
#include "symbolizer/image.h"
#include "symbolizer/strings.h"
#include "symbolizer/unit.h"

struct sym_debug_info {
    const struct sym_image *image; /* the file with the debug sections */
    struct sym_image inflated;     /* or a copy of them, if compressed */
    struct sym_image supplement;   /* dwz's file, if any */
    struct sym_image inflated_supplement;
    Dwarf *dwarf, *supplement_dwarf;
    struct sym_image view; /* the runtime file's segments, as DWARF has them */
    struct table units;    /* struct sym_unit */
    struct table ranges;   /* by start */
    struct sym_unit_context context;
};

/* An answer: the unit, and the node in it or SYM_NO_NODE for a line only. */
struct sym_place {
    struct sym_unit *unit;
    uint32_t node;
};

/* Whether the file has DWARF of its own. */
bool sym_debug_info_is_in(const struct sym_image *image);

/*
 * Open the DWARF of `image`, which describes the code of `runtime` (the same,
 * or the file it was split from). All are borrowed until the fini.
 *
 *   problem  receives what damage or absence makes the answers poorer
 *   errors   NO_MEMORY; MALFORMED, UNSUPPORTED when there is no DWARF to read
 */
MUST_CHECK enum status sym_debug_info_open(
    struct sym_debug_info *info, const struct sym_image *image,
    const struct sym_image *runtime, char *const *dirs,
    struct sym_strings *strings, struct diag *problem);

/*
 * The best place for `vaddr`; reads the units it may be in.
 *
 *   returns  false when no unit knows the address
 *   status   NO_MEMORY, or OK
 */
bool sym_debug_info_find(
    struct sym_debug_info *info, uint64_t vaddr, struct sym_place *place,
    enum status *status, struct diag *problem);

/* Whether a unit claims the address. */
bool sym_debug_info_covers(const struct sym_debug_info *info, uint64_t vaddr);

/* The range `i` of a unit; false when there are not that many. */
bool sym_debug_info_range(
    const struct sym_debug_info *info, uint32_t i, uint64_t *start,
    uint64_t *end);

void sym_debug_info_close(struct sym_debug_info *info);

#endif
