/* The header of a line table: folders, files, and how to read its program. */
#ifndef SYMBOLIZER_LINE_HEADER_H
#define SYMBOLIZER_LINE_HEADER_H

#include "symbolizer/bytes.h"
#include "symbolizer/lines.h"

struct sym_line_file {
    const char *name;
    uint64_t dir;
    uint32_t path; /* id of the full path, SYM_NO_STRING until asked for */
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
 * Read the header at `input->offset`; folders and files go to `lines`.
 *
 *   errors   MALFORMED, UNSUPPORTED (a version after 5), LIMIT, NO_MEMORY
 */
MUST_CHECK enum status sym_line_header_read(
    struct sym_line_header *header, struct sym_lines *lines,
    const struct sym_line_input *input, struct diag *diag);

#endif
