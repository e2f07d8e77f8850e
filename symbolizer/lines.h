/*
 * The line table of one compilation unit (DWARF 2 to 5, section 6.2), read
 * from bytes that may hold anything.
 *
 * libdw sorts the rows of all sequences together and forgets which row came
 * from which, so that rows of a function the linker dropped, counted from
 * address 0, mix with those of living code. Here a sequence lives or dies as a
 * whole, by its first address; where two living ones overlap, the one that
 * starts first keeps what it covers.
 */
#ifndef SYMBOLIZER_LINES_H
#define SYMBOLIZER_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "profiler/base/table.h"
#include "symbolizer/line_files.h"
#include "symbolizer/line_header.h"

#define SYM_NO_FILE UINT32_MAX /* a gap between sequences */

/* From `vaddr` to the next row. */
struct sym_line_row {
    uint64_t vaddr;
    uint32_t file; /* for sym_line_files_path() */
    uint32_t line, column, discriminator;
};

struct sym_lines {
    struct table rows; /* by vaddr, each address once, the last a gap */
    struct sym_line_files files;
};

/*
 * Read the table. The input's bytes and `comp_dir` must outlive `lines`.
 *
 *   errors   MALFORMED, LIMIT, NO_MEMORY; `lines` then holds what was read
 *            before the damage and must still be given to sym_lines_fini()
 */
MUST_CHECK enum status sym_lines_read(
    struct sym_lines *lines, const struct sym_line_input *input,
    struct diag *diag);

/* The row in force at `vaddr`, or NULL in a gap. */
const struct sym_line_row *sym_lines_find(
    const struct sym_lines *lines, uint64_t vaddr);

void sym_lines_fini(struct sym_lines *lines);

#endif
