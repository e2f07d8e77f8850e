/*
 * Making a table of rows (sig_row_table.h) from a module's CFI, once per
 * module, outside the target. About 90 KiB and 1 ms per MiB of text.
 */
#ifndef PROFILER_UNWIND_ROW_TABLE_H
#define PROFILER_UNWIND_ROW_TABLE_H

#include "profiler/base/status.h"
#include "profiler/unwind/sig_row_table.h"

/*
 * Build the table of `source`.
 *
 *   source   with a sorted index, and with ELF addresses: loaded at bias 0
 *   table    out: one block, free() it; prof_row_table_bytes() is its size
 *   returns  STATUS_UNSUPPORTED when `source` has no index, its code spans more
 *            than 256 times its size, or it is malformed
 */
MUST_CHECK enum status prof_row_table_build(
    const struct prof_cfi_source *source, struct prof_row_table **table,
    struct diag *diag);

#endif
