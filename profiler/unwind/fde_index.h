/*
 * The sorted index of a CFI section (normal context; no libc, no allocation,
 * for the target has neither): taken from .eh_frame_hdr, or made.
 */
#ifndef PROFILER_UNWIND_FDE_INDEX_H
#define PROFILER_UNWIND_FDE_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "profiler/unwind/sig_eh_frame.h"

/* An .eh_frame_hdr (LSB 5.0 10.6.2). */
struct prof_eh_frame_header {
    const uint8_t *bytes; /* where we read it */
    uint64_t size_bytes;
    uint64_t address; /* of bytes[0] in the program */
};

/*
 * Where the header says .eh_frame is, in the program; 0 when it does not tell.
 */
uint64_t prof_eh_frame_address(const struct prof_eh_frame_header *header);

/*
 * Use the header's table as the index of `source`.
 *
 *   returns  false, and leaves `source` without an index, when the table is
 *            absent, reaches past the header, or has another encoding than
 *            linkers write (pairs of sdata4 relative to the header)
 *   source   borrows the header's bytes
 */
bool prof_fde_index_adopt(
    struct prof_cfi_source *source, const struct prof_eh_frame_header *header);

/* Whether the index is ascending; reads all of it. */
bool prof_fde_index_is_sorted(const struct prof_cfi_source *source);

/* The FDEs in the section, which is how many pairs an index of it needs. */
uint32_t prof_fde_count(const struct prof_cfi_source *source);

/*
 * Make the index of `source` from its entries.
 *
 *   pairs     2 * `capacity` words, borrowed by `source`
 *   pc_base   within 2 GiB of the code: the module's load bias
 *   returns   false, and leaves `source` without an index, when there are more
 *             FDEs than `capacity` or none, or code out of reach
 */
bool prof_fde_index_build(
    struct prof_cfi_source *source, int32_t *pairs, uint32_t capacity,
    uint64_t pc_base);

#endif
