/*
 * All rows of one module, sorted by pc, in one block without pointers: made
 * outside the handler (row_table.h), at most two cache lines away from an
 * answer in it. Interpreting .eh_frame for the same pc touches eight.
 *
 *   struct prof_row_table        the header
 *   uint32_t firsts[granules]    per 256 bytes of text: the first row at or
 *                                above its start
 *   uint32_t rows[row_count]     bits 31..19  CFA offset in words
 *                                bits 18..11  frame pointer slot
 *                                bits 10..8   enum prof_row_kind
 *                                bits 7..0    pc within its granule
 *
 * A row holds up to the next one; PROF_ROW_NONE rows fill the gaps between
 * functions. A row that does not fit is PROF_ROW_FULL: the CFI tells more.
 */
#ifndef PROFILER_UNWIND_SIG_ROW_TABLE_H
#define PROFILER_UNWIND_SIG_ROW_TABLE_H

#include <stdint.h>

#include "profiler/base/status.h"
#include "profiler/unwind/sig_row.h"

#define PROF_ROW_TABLE_MAGIC   UINT32_C(0x57465254) /* "TRFW" */
#define PROF_ROW_TABLE_VERSION 1
#define PROF_ROW_GRANULE_BITS  8
#define PROF_TABLE_WORDS_MAX   0x1fff

struct prof_row_table {
    uint32_t magic, version;
    uint64_t start; /* ELF address of the first granule, a multiple of 256 */
    uint32_t granule_count;
    uint32_t row_count;
    uint32_t words[]; /* firsts, then rows */
};

_Static_assert(sizeof(struct prof_row_table) == 24, "shared with a collector");

SIGNAL_SAFE static inline uint64_t prof_row_table_bytes(
    const struct prof_row_table *table)
{
    return sizeof *table +
           4 * ((uint64_t)table->granule_count + table->row_count);
}

/*
 * The row at `vaddr`; PROF_ROW_FULL where the table does not tell, and outside
 * of it.
 *
 *   stretch  out, for other rows than FULL and NONE: ELF addresses around
 *            `vaddr` that have the same; there may be more
 */
SIGNAL_SAFE uint32_t prof_row_table_find(
    const struct prof_row_table *table, uint64_t vaddr,
    struct prof_stretch *stretch);

#endif
