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
#include "symbolizer/budget.h"
#include "symbolizer/image.h"
#include "symbolizer/strings.h"

#define SYM_NO_FILE UINT32_MAX /* a gap between sequences */

struct sym_line_input {
    struct sym_section_bytes line, line_str, str;
    uint64_t offset;               /* of the table in `line` */
    const char *comp_dir;          /* "" unknown */
    const struct sym_image *image; /* tells dead code; NULL: all is alive */
    struct sym_budget *budget;     /* NULL: there is no limit */
};

/* From `vaddr` to the next row. */
struct sym_line_row {
    uint64_t vaddr;
    uint32_t file; /* for sym_lines_path() */
    uint32_t line, column, discriminator;
};

struct sym_lines {
    struct table rows; /* by vaddr, each address once, the last a gap */
    struct table files, dirs;
    const char *comp_dir;
    uint32_t first_file; /* number of the first file: 0 since DWARF 5 */
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

/*
 * The full path of a file by its number, as rows and DW_AT_call_file hold it:
 * an id of `strings`, 0 ("") when there is no such file, SYM_NO_STRING when
 * out of memory.
 */
uint32_t sym_lines_path(
    struct sym_lines *lines, struct sym_strings *strings, uint64_t file);

void sym_lines_fini(struct sym_lines *lines);

#endif
