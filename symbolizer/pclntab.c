/*
 * The table (a word is 4 or 8 bytes, as byte 7 says):
 *
 *   Go 1.2           Go 1.16                Go 1.18 and 1.20
 *   magic 0xfffffffb magic 0xfffffffa       magic 0xfffffff0, 0xfffffff1
 *   0 0 quantum word 0 0 quantum word       0 0 quantum word
 *   functions        functions, files       functions, files, start of text
 *   the table        offsets of 5 areas     offsets of 5 areas
 *
 * The areas are names, units, files, values by pc, and the functions: rows of
 * an entry and the offset of what more is known of the function, which begins
 * with its entry and the offset of its name. After the last row comes the end
 * of its code. Entries and offsets are words; since Go 1.18 they are 4 bytes,
 * and entries count from the start of text.
 */
#include "symbolizer/pclntab.h"

#include "symbolizer/bytes.h"

enum magic {
    GO_1_2 = (int)0xfffffffb,
    GO_1_16 = (int)0xfffffffa,
    GO_1_18 = (int)0xfffffff0,
    GO_1_20 = (int)0xfffffff1,
};

struct pclntab {
    struct sym_section_bytes bytes;
    struct sym_section_bytes names,
        functions;                   /* areas; they reach to the end */
    unsigned word_bytes, cell_bytes; /* of a row's cells */
    uint64_t function_count, text_start;
};

static struct sym_section_bytes area_at(
    struct sym_section_bytes bytes, uint64_t offset)
{
    if (offset >= bytes.count)
        return (struct sym_section_bytes){0};
    return (struct sym_section_bytes){
        .start = (const uint8_t *)bytes.start + offset,
        .count = bytes.count - offset};
}

static uint64_t text_start_of(const struct sym_image *image)
{
    GElf_Shdr header;
    return sym_image_section(image, ".text", &header) != NULL ? header.sh_addr
                                                              : 0;
}

/* The tables behind the count of functions. */
static void read_areas(
    struct pclntab *table, const struct sym_image *image,
    struct sym_bytes *head, int magic)
{
    unsigned word = table->word_bytes;
    if (magic == GO_1_2) {
        table->names = table->bytes;
        table->functions = area_at(table->bytes, 8 + (uint64_t)word);
        return;
    }
    (void)sym_bytes_fixed(head, word); /* how many files there are */
    if (magic != GO_1_16) {
        table->text_start = sym_bytes_fixed(head, word);
        table->cell_bytes = 4;
        /* Left to the dynamic linker in a position-independent file, and
           left out by later versions. */
        if (table->text_start == 0)
            table->text_start = text_start_of(image);
    }
    table->names = area_at(table->bytes, sym_bytes_fixed(head, word));
    for (int i = 0; i < 3; i++)
        (void)sym_bytes_fixed(head, word); /* units, files, values */
    table->functions = area_at(table->bytes, sym_bytes_fixed(head, word));
}

static bool read_head(struct pclntab *table, const struct sym_image *image)
{
    struct sym_bytes head =
        sym_bytes_of(table->bytes.start, table->bytes.count, 0);
    int magic = (int)sym_bytes_fixed(&head, 4);
    (void)sym_bytes_fixed(&head, 3); /* zeros, and the size of instructions */
    unsigned word = (unsigned)sym_bytes_fixed(&head, 1);
    if ((magic != GO_1_2 && magic != GO_1_16 && magic != GO_1_18 &&
         magic != GO_1_20) ||
        (word != 4 && word != 8))
        return false;
    table->word_bytes = table->cell_bytes = word;
    table->function_count = sym_bytes_fixed(&head, word);
    read_areas(table, image, &head, magic);
    uint64_t rows = table->functions.count / (2 * table->cell_bytes);
    return !head.is_bad && table->function_count <= rows;
}

/* What the row says; the next row says where the function ends. */
static struct sym_symbol read_row(const struct pclntab *table, uint64_t row)
{
    unsigned cell = table->cell_bytes;
    struct sym_bytes bytes = sym_bytes_of(
        table->functions.start, table->functions.count, row * 2 * cell);
    uint64_t entry = sym_bytes_fixed(&bytes, cell);
    uint64_t offset = sym_bytes_fixed(&bytes, cell);
    uint64_t end = sym_bytes_fixed(&bytes, cell);

    /* Offsets of functions count from their area, in Go 1.2 from the table. */
    struct sym_section_bytes from = table->names.start == table->bytes.start
                                        ? table->bytes
                                        : table->functions;
    struct sym_bytes function = sym_bytes_of(from.start, from.count, offset);
    sym_bytes_skip(&function, cell);
    uint64_t name_offset = sym_bytes_fixed(&function, 4);
    struct sym_bytes name =
        sym_bytes_of(table->names.start, table->names.count, name_offset);
    struct sym_symbol symbol = {
        .vaddr = table->text_start + entry,
        .size = end - entry,
        .limit = table->text_start + end,
        .name = sym_bytes_short_text(name),
        .type = STT_FUNC,
        .binding = STB_LOCAL};
    if (bytes.is_bad || function.is_bad || name.is_bad || end <= entry)
        symbol.name = "";
    return symbol;
}

bool sym_names_add_pclntab(
    struct sym_names *names, const struct sym_image *image)
{
    struct pclntab table = {.bytes = sym_image_bytes(image, ".gopclntab")};
    if (table.bytes.start == NULL)
        table.bytes = sym_image_bytes(image, ".data.rel.ro.gopclntab");
    if (table.bytes.start == NULL || !read_head(&table, image))
        return true;
    for (uint64_t row = 0; row < table.function_count; row++) {
        struct sym_symbol symbol = read_row(&table, row);
        if (sym_image_is_code(image, symbol.vaddr) &&
            !sym_names_add(names, &symbol))
            return false;
    }
    return true;
}
