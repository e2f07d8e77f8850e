/* Running a line program (DWARF 2 to 5, section 6.2.5), and its rows. */
#include "symbolizer/lines.h"

#include <stdlib.h>

#include <dwarf.h>

#include "symbolizer/bytes.h"

/* Consecutive rows of the program, ended by one gap row. */
struct sequence {
    uint64_t start, end;
    uint32_t first_row, row_count;
};

struct machine {
    const struct sym_line_header *header;
    const struct sym_image *image;
    struct sym_lines *lines; /* rows as the program makes them */
    struct table sequences;
    uint32_t first_row; /* of the present sequence */
    struct sym_line_row now;
    bool is_out_of_memory;
};

static void reset(struct machine *machine)
{
    machine->first_row = machine->lines->rows.count;
    machine->now = (struct sym_line_row){.file = 1, .line = 1};
}

static struct sym_line_row *last_row(const struct machine *machine)
{
    const struct table *rows = &machine->lines->rows;
    return rows->count > machine->first_row ? table_row(rows, rows->count - 1)
                                            : NULL;
}

/*
 * The present state becomes a row. Of rows at one address the last one counts:
 * the others are views of variables. A row that goes backwards, which a
 * sequence must not do, is ignored.
 */
static void add_row(struct machine *machine)
{
    struct sym_line_row *last = last_row(machine), row = machine->now;
    machine->now.discriminator = 0; /* it is of one row alone */
    if (last != NULL && row.vaddr < last->vaddr)
        return;
    if (last != NULL && row.vaddr == last->vaddr)
        *last = row;
    else if (table_add(&machine->lines->rows, &row) == TABLE_NONE)
        machine->is_out_of_memory = true;
}

static bool is_alive(const struct machine *machine, uint64_t start)
{
    return machine->image == NULL || sym_image_is_code(machine->image, start);
}

static void end_sequence(struct machine *machine)
{
    struct table *rows = &machine->lines->rows;
    machine->now.file = SYM_NO_FILE;
    machine->now.line = machine->now.column = 0;
    machine->now.discriminator = 0;
    add_row(machine);
    if (machine->is_out_of_memory)
        return;

    const struct sym_line_row *first = table_row(rows, machine->first_row);
    const struct sym_line_row *last = table_row(rows, rows->count - 1);
    struct sequence sequence = {
        .start = first->vaddr,
        .end = last->vaddr,
        .first_row = machine->first_row,
        .row_count = rows->count - machine->first_row};
    if (sequence.start >= sequence.end || last->file != SYM_NO_FILE ||
        !is_alive(machine, sequence.start))
        rows->count = machine->first_row;
    else if (table_add(&machine->sequences, &sequence) == TABLE_NONE)
        machine->is_out_of_memory = true;
    reset(machine);
}

/* ---- opcodes ---- */

static void advance_pc(struct machine *machine, uint64_t operations)
{
    machine->now.vaddr += operations * machine->header->min_instruction_bytes;
}

static void run_special(struct machine *machine, uint8_t opcode)
{
    const struct sym_line_header *header = machine->header;
    unsigned step = opcode - header->opcode_base;
    advance_pc(machine, step / header->line_range);
    machine->now.line +=
        (uint32_t)(header->line_base + (int)(step % header->line_range));
    add_row(machine);
}

static void run_extended(struct machine *machine, struct sym_bytes *program)
{
    struct sym_bytes operand = sym_bytes_take(program, sym_bytes_uleb(program));
    if (operand.is_bad)
        return;
    switch (sym_bytes_fixed(&operand, 1)) {
    case DW_LNE_end_sequence:
        end_sequence(machine);
        break;
    case DW_LNE_set_address:
        machine->now.vaddr =
            sym_bytes_fixed(&operand, (unsigned)sym_bytes_left(&operand));
        if (operand.is_bad)
            program->is_bad = true;
        break;
    case DW_LNE_define_file: {
        struct sym_line_file file = {
            .name = sym_bytes_text(&operand),
            .dir = sym_bytes_uleb(&operand),
            .path = SYM_NO_STRING};
        if (table_add(&machine->lines->files.names, &file) == TABLE_NONE)
            machine->is_out_of_memory = true;
        break;
    }
    case DW_LNE_set_discriminator:
        machine->now.discriminator = (uint32_t)sym_bytes_uleb(&operand);
        break;
    default: /* what we do not know */
        break;
    }
}

static void skip_operands(
    const struct machine *machine, uint8_t opcode, struct sym_bytes *program)
{
    for (uint8_t i = machine->header->operand_counts[opcode - 1]; i > 0; i--)
        (void)sym_bytes_uleb(program);
}

static void run_standard(
    struct machine *machine, uint8_t opcode, struct sym_bytes *program)
{
    struct sym_line_row *now = &machine->now;
    switch (opcode) {
    case DW_LNS_copy:
        add_row(machine);
        break;
    case DW_LNS_advance_pc:
        advance_pc(machine, sym_bytes_uleb(program));
        break;
    case DW_LNS_advance_line:
        now->line += (uint32_t)sym_bytes_sleb(program);
        break;
    case DW_LNS_set_file: {
        uint64_t file = sym_bytes_uleb(program);
        now->file = file < SYM_NO_FILE ? (uint32_t)file : SYM_NO_FILE - 1;
        break;
    }
    case DW_LNS_set_column:
        now->column = (uint32_t)sym_bytes_uleb(program);
        break;
    case DW_LNS_const_add_pc:
        advance_pc(
            machine, (255u - machine->header->opcode_base) /
                         machine->header->line_range);
        break;
    case DW_LNS_fixed_advance_pc:
        now->vaddr += sym_bytes_fixed(program, 2);
        break;
    default: /* flags we do not keep, and opcodes of later versions */
        skip_operands(machine, opcode, program);
        break;
    }
}

/* False when the program breaks off in the middle of an instruction. */
static bool run(struct machine *machine, struct sym_bytes *program)
{
    while (program->at < program->end && !program->is_bad &&
           !machine->is_out_of_memory) {
        uint8_t opcode = *program->at++;
        if (opcode >= machine->header->opcode_base)
            run_special(machine, opcode);
        else if (opcode == 0)
            run_extended(machine, program);
        else
            run_standard(machine, opcode, program);
    }
    /* What was not ended has no known extent. */
    machine->lines->rows.count = machine->first_row;
    return !program->is_bad;
}

/* ---- putting sequences in order ---- */

static int by_start(const void *left, const void *right)
{
    const struct sequence *a = left, *b = right;
    if (a->start != b->start)
        return a->start < b->start ? -1 : 1;
    return (a->first_row > b->first_row) - (a->first_row < b->first_row);
}

/* Append the rows of a sequence from `from` on. */
static bool append_rows(
    struct table *sorted, const struct table *rows,
    const struct sequence *sequence, uint64_t from)
{
    const struct sym_line_row *row = table_row(rows, sequence->first_row);
    const struct sym_line_row *end = row + sequence->row_count;
    while (row + 1 < end && row[1].vaddr <= from)
        row++;

    if (sorted->count > 0) {
        struct sym_line_row *last = table_row(sorted, sorted->count - 1);
        if (last->vaddr >= from)
            sorted->count--; /* the gap before is closed */
    }
    struct sym_line_row first = *row;
    if (first.vaddr < from)
        first.vaddr = from;
    return table_add(sorted, &first) != TABLE_NONE &&
           table_add_many(sorted, row + 1, (uint32_t)(end - row - 1)) !=
               TABLE_NONE;
}

static bool sort_sequences(struct machine *machine)
{
    struct table *rows = &machine->lines->rows;
    struct sequence *sequences = machine->sequences.rows;
    uint32_t count = machine->sequences.count;
    if (count < 2)
        return true;
    qsort(sequences, count, sizeof *sequences, by_start);

    struct table sorted = {.row_bytes = sizeof(struct sym_line_row)};
    uint64_t covered_end = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (sequences[i].end <= covered_end)
            continue;
        uint64_t from =
            sequences[i].start > covered_end ? sequences[i].start : covered_end;
        if (!append_rows(&sorted, rows, &sequences[i], from)) {
            table_fini(&sorted);
            return false;
        }
        covered_end = sequences[i].end;
    }
    table_fini(rows);
    *rows = sorted;
    return true;
}

enum status sym_lines_read(
    struct sym_lines *lines, const struct sym_line_input *input,
    struct diag *diag)
{
    *lines = (struct sym_lines){.rows.row_bytes = sizeof(struct sym_line_row)};
    sym_line_files_init(&lines->files, input->comp_dir);
    struct sym_line_header header;
    enum status status =
        sym_line_header_read(&header, &lines->files, input, diag);
    if (status != STATUS_OK)
        return status;

    struct machine machine = {
        .header = &header,
        .image = input->image,
        .lines = lines,
        .sequences.row_bytes = sizeof(struct sequence)};
    reset(&machine);
    bool is_whole = run(&machine, &header.program);
    if (machine.is_out_of_memory || !sort_sequences(&machine))
        status = fail(diag, STATUS_NO_MEMORY, "no memory for a line table");
    else if (!is_whole)
        status = fail(
            diag, STATUS_MALFORMED, "line table at 0x%llx breaks off",
            (unsigned long long)input->offset);
    table_fini(&machine.sequences);
    return status;
}

/* ---- reading ---- */

const struct sym_line_row *sym_lines_find(
    const struct sym_lines *lines, uint64_t vaddr)
{
    const struct sym_line_row *rows = lines->rows.rows;
    uint32_t low = 0, high = lines->rows.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (rows[middle].vaddr <= vaddr)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 && rows[low - 1].file != SYM_NO_FILE ? &rows[low - 1] : NULL;
}

void sym_lines_fini(struct sym_lines *lines)
{
    table_fini(&lines->rows);
    sym_line_files_fini(&lines->files);
}
