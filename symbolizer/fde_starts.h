/*
 * Where functions begin and end, from call frame information.
 *
 * Stripping a file takes its symbols but never .eh_frame, which exceptions
 * need: nearly every function keeps a frame description entry (FDE) with its
 * first address and its length. So code without a name can still be told
 * apart function by function. A function in several pieces (hot and cold) has
 * an FDE for each; the stubs of a procedure linkage table share one.
 */
#ifndef SYMBOLIZER_FDE_STARTS_H
#define SYMBOLIZER_FDE_STARTS_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/table.h"
#include "symbolizer/image.h"

struct sym_fde_range {
    uint64_t start, end; /* vaddr, half open, start < end */
};

/* Zeroed is empty. */
struct sym_fde_starts {
    struct table ranges; /* by start */
};

/*
 * Collect the ranges of a runtime file; a debug file has no .eh_frame. What
 * is damaged, or of an encoding no linker writes, is passed over.
 *
 *   returns  false when out of memory
 *   cost     one visit of every FDE, and a sort
 */
bool sym_fde_starts_read(
    struct sym_fde_starts *starts, const struct sym_image *image);

/* The range that holds `vaddr`, or NULL. */
const struct sym_fde_range *sym_fde_starts_find(
    const struct sym_fde_starts *starts, uint64_t vaddr);

void sym_fde_starts_fini(struct sym_fde_starts *starts);

#endif
