/* The header of a line table (DWARF 2 to 5, section 6.2.4). */
#include "symbolizer/line_header.h"

#include <dwarf.h>

enum { LEB_BYTES = 10 }; /* that a number of 64 bits takes */

/* A header being read. */
struct reader {
    struct sym_bytes bytes;
    const struct sym_line_input *input;
    unsigned offset_bytes; /* 4, or 8 in 64-bit DWARF */
    bool is_out_of_memory, is_excessive;
};

/* What one entry of a DWARF 5 table says. */
struct entry {
    const char *name;
    uint64_t dir;
};

/* ---- DWARF 5: tables that describe their own columns ---- */

static const char *text_at(const struct sym_section_bytes *in, uint64_t offset)
{
    return sym_bytes_short_text(sym_bytes_of(in->start, in->count, offset));
}

static const char *read_text_form(struct reader *reader, uint64_t form)
{
    struct sym_bytes *bytes = &reader->bytes;
    switch (form) {
    case DW_FORM_string:
        return sym_bytes_text(bytes);
    case DW_FORM_line_strp:
        return text_at(
            &reader->input->line_str,
            sym_bytes_fixed(bytes, reader->offset_bytes));
    case DW_FORM_strp:
        return text_at(
            &reader->input->str, sym_bytes_fixed(bytes, reader->offset_bytes));
    default:
        bytes->is_bad = true;
        return "";
    }
}

/* Numbers; what is not a number is passed over and gives 0. */
static uint64_t read_number_form(struct reader *reader, uint64_t form)
{
    struct sym_bytes *bytes = &reader->bytes;
    switch (form) {
    case DW_FORM_udata:
        return sym_bytes_uleb(bytes);
    case DW_FORM_data1:
        return sym_bytes_fixed(bytes, 1);
    case DW_FORM_data2:
        return sym_bytes_fixed(bytes, 2);
    case DW_FORM_data4:
        return sym_bytes_fixed(bytes, 4);
    case DW_FORM_data8:
        return sym_bytes_fixed(bytes, 8);
    case DW_FORM_data16:
        sym_bytes_skip(bytes, 16);
        return 0;
    case DW_FORM_block:
        sym_bytes_skip(bytes, sym_bytes_uleb(bytes));
        return 0;
    default: /* a text nobody asked for, as LLVM's embedded source */
        (void)read_text_form(reader, form);
        return 0;
    }
}

static struct entry read_entry(
    struct reader *reader, struct sym_bytes columns, unsigned column_count)
{
    struct entry entry = {.name = ""};
    for (unsigned i = 0; i < column_count; i++) {
        uint64_t content = sym_bytes_uleb(&columns);
        uint64_t form = sym_bytes_uleb(&columns);
        if (content == DW_LNCT_path)
            entry.name = read_text_form(reader, form);
        else if (content == DW_LNCT_directory_index)
            entry.dir = read_number_form(reader, form);
        else
            (void)read_number_form(reader, form);
    }
    return entry;
}

static void add_file(
    struct reader *reader, struct table *files, const char *name, uint64_t dir)
{
    struct sym_line_file file = {
        .name = name, .dir = dir, .path = SYM_NO_STRING};
    if (table_add(files, &file) == TABLE_NONE)
        reader->is_out_of_memory = true;
}

static void add_dir(struct reader *reader, struct table *dirs, const char *name)
{
    if (table_add(dirs, &name) == TABLE_NONE)
        reader->is_out_of_memory = true;
}

static void read_table(
    struct reader *reader, struct sym_line_files *files, bool is_files)
{
    struct sym_bytes *bytes = &reader->bytes;
    unsigned column_count = (unsigned)sym_bytes_fixed(bytes, 1);
    struct sym_bytes columns = *bytes;
    for (unsigned i = 0; i < 2 * column_count; i++)
        (void)sym_bytes_uleb(bytes);
    /* They are read again for every entry: no number may be a long one. */
    if (bytes->at - columns.at > (ptrdiff_t)2 * column_count * LEB_BYTES)
        bytes->is_bad = true;

    uint64_t count = sym_bytes_uleb(bytes);
    /* An entry without columns takes no bytes: the count would be free. */
    if (column_count == 0 && count > 0)
        bytes->is_bad = true;
    for (; count > 0 && !bytes->is_bad && !reader->is_out_of_memory; count--) {
        struct entry entry = read_entry(reader, columns, column_count);
        if (is_files)
            add_file(reader, &files->names, entry.name, entry.dir);
        else
            add_dir(reader, &files->dirs, entry.name);
    }
}

/* ---- DWARF 2 to 4: lists ended by an empty name ---- */

static void read_lists(struct reader *reader, struct sym_line_files *files)
{
    struct sym_bytes *bytes = &reader->bytes;
    add_dir(reader, &files->dirs, ""); /* 0 is the compilation folder */
    while (!bytes->is_bad && !reader->is_out_of_memory) {
        const char *name = sym_bytes_text(bytes);
        if (name[0] == '\0')
            break;
        add_dir(reader, &files->dirs, name);
    }
    while (!bytes->is_bad && !reader->is_out_of_memory) {
        const char *name = sym_bytes_text(bytes);
        if (name[0] == '\0')
            break;
        uint64_t dir = sym_bytes_uleb(bytes);
        (void)sym_bytes_uleb(bytes); /* time of modification */
        (void)sym_bytes_uleb(bytes); /* length */
        add_file(reader, &files->names, name, dir);
    }
}

/* ---- the fixed part ---- */

/* Enter the unit: what follows is bounded by its length. */
static void read_length(struct reader *reader)
{
    uint64_t length = sym_bytes_fixed(&reader->bytes, 4);
    reader->offset_bytes = 4;
    if (length == 0xffffffff) {
        length = sym_bytes_fixed(&reader->bytes, 8);
        reader->offset_bytes = 8;
    }
    reader->bytes = sym_bytes_take(&reader->bytes, length);
    reader->is_excessive = !sym_budget_spend(
        reader->input->budget,
        SYM_COST_OF_LINES * (uint64_t)sym_bytes_left(&reader->bytes));
}

static void read_fixed(struct reader *reader, struct sym_line_header *header)
{
    struct sym_bytes *bytes = &reader->bytes;
    header->min_instruction_bytes = (uint8_t)sym_bytes_fixed(bytes, 1);
    if (header->version >= 4)
        (void)sym_bytes_fixed(bytes, 1); /* operations per VLIW instruction */
    (void)sym_bytes_fixed(bytes, 1);     /* is_stmt at the start */
    header->line_base = (int8_t)sym_bytes_fixed(bytes, 1);
    header->line_range = (uint8_t)sym_bytes_fixed(bytes, 1);
    header->opcode_base = (uint8_t)sym_bytes_fixed(bytes, 1);
    if (header->opcode_base == 0 || header->line_range == 0)
        bytes->is_bad = true;
    header->operand_counts = bytes->at;
    sym_bytes_skip(bytes, header->opcode_base ? header->opcode_base - 1u : 0);
}

static void read_files(
    struct reader *reader, struct sym_line_files *files, uint16_t version)
{
    files->first = version >= 5 ? 0 : 1;
    if (version < 5) {
        read_lists(reader, files);
        return;
    }
    read_table(reader, files, false);
    read_table(reader, files, true);
}

enum status sym_line_header_read(
    struct sym_line_header *header, struct sym_line_files *files,
    const struct sym_line_input *input, struct diag *diag)
{
    *header = (struct sym_line_header){0};
    struct reader reader = {
        .bytes =
            sym_bytes_of(input->line.start, input->line.count, input->offset),
        .input = input};
    struct sym_bytes *bytes = &reader.bytes;

    read_length(&reader);
    if (reader.is_excessive)
        return fail(
            diag, STATUS_LIMIT, "line table at 0x%llx " SYM_BUDGET_COMPLAINT,
            (unsigned long long)input->offset);
    header->version = (uint16_t)sym_bytes_fixed(bytes, 2);
    if (!bytes->is_bad && (header->version < 2 || header->version > 5))
        return fail(
            diag, STATUS_UNSUPPORTED, "line table of version %u",
            header->version);
    if (header->version >= 5)
        sym_bytes_skip(bytes, 2); /* sizes of an address and of a selector */
    uint64_t rest = sym_bytes_fixed(bytes, reader.offset_bytes);
    header->program = *bytes;
    sym_bytes_skip(&header->program, rest);

    read_fixed(&reader, header);
    if (!bytes->is_bad)
        read_files(&reader, files, header->version);
    if (reader.is_out_of_memory)
        return fail(diag, STATUS_NO_MEMORY, "no memory for a line table");
    if (bytes->is_bad || header->program.is_bad)
        return fail(
            diag, STATUS_MALFORMED, "line table at 0x%llx: damaged header",
            (unsigned long long)input->offset);
    return STATUS_OK;
}
