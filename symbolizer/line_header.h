/* The header of a line table: folders, files, and how to read its program. */
#ifndef SYMBOLIZER_LINE_HEADER_H
#define SYMBOLIZER_LINE_HEADER_H

#include <stdint.h>

#include "profiler/base/status.h"
#include "symbolizer/budget.h"
#include "symbolizer/bytes.h"
#include "symbolizer/image.h"
#include "symbolizer/line_files.h"

struct sym_line_input {
    struct sym_section_bytes line, line_str, str;
    uint64_t offset;               /* of the table in `line` */
    const char *comp_dir;          /* "" unknown */
    const struct sym_image *image; /* tells dead code; NULL: all is alive */
    struct sym_budget *budget;     /* NULL: there is no limit */
};

struct sym_line_header {
    uint16_t version;
    uint8_t min_instruction_bytes;
    int8_t line_base;
    uint8_t line_range;
    uint8_t opcode_base;
    const uint8_t *operand_counts; /* of opcodes 1 .. opcode_base - 1 */
    struct sym_bytes program;
};

/*
 * Read the header at `input->offset`; folders and files go to `files`.
 *
 *   errors   MALFORMED, UNSUPPORTED (a version after 5), LIMIT, NO_MEMORY
 */
MUST_CHECK enum status sym_line_header_read(
    struct sym_line_header *header, struct sym_line_files *files,
    const struct sym_line_input *input, struct diag *diag);

#endif
