/*
 * One compilation unit, read once and kept flat.
 *
 * The tree of DIEs becomes an array of nodes, one per function body and per
 * inlined call, parents before children, and an array of spans that do not
 * overlap, each owned by the innermost node. A lookup is two binary searches,
 * spans and line rows, and a walk from node to parent.
 *
 * An inlined call may claim addresses its caller does not have: it is clipped
 * to its caller. Where two calls claim the same address, the later DIE has it.
 */
#ifndef SYMBOLIZER_UNIT_H
#define SYMBOLIZER_UNIT_H

#include <stdbool.h>
#include <stdint.h>

#include <elfutils/libdw.h>

#include "profiler/base/status.h"
#include "profiler/base/table.h"
#include "symbolizer/die.h"
#include "symbolizer/image.h"
#include "symbolizer/lines.h"
#include "symbolizer/split.h"
#include "symbolizer/tree.h"
#include "symbolizer/unit_source.h"

struct sym_unit {
    Dwarf_CU *handle;
    bool is_read;
    bool is_scanned; /* the quick way understood it; libdw was not needed */
    bool has_mangled_names; /* its language mangles: C++, Rust, D, Swift */
    struct table nodes;     /* struct sym_node */
    struct table spans;     /* struct sym_span, owner: a node */
    struct sym_lines lines;
};

/* What the units of one file share. */
struct sym_unit_context {
    const struct sym_image *image; /* the runtime file: tells dead code; at
                                      the addresses that DWARF has */
    uint64_t shift;                /* from those to the runtime file's */
    struct sym_die_names names;
    struct sym_section_bytes line;
    struct sym_budget budget;     /* of the file, for all of them */
    struct sym_unit_source areas; /* of no unit yet */
    struct sym_split_files split;
    bool uses_libdw_only; /* for comparison: leave out the quick way */
};

/*
 * Read functions, inlined calls and lines. Damage leaves what was read before
 * it; the unit counts as read either way.
 *
 *   errors   NO_MEMORY; MALFORMED and LIMIT, which leave the unit usable
 */
MUST_CHECK enum status sym_unit_read(
    struct sym_unit *unit, struct sym_unit_context *context, struct diag *diag);

/* The innermost node at `vaddr`, SYM_NO_NODE when in no known function. */
uint32_t sym_unit_find(const struct sym_unit *unit, uint64_t vaddr);

const struct sym_node *sym_unit_node(const struct sym_unit *unit, uint32_t id);

void sym_unit_fini(struct sym_unit *unit);

#endif
