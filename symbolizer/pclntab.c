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
 *
 * Where that is, and where the data of functions, the table does not tell in
 * every version: see moduledata.h.
 */
#include "symbolizer/pclntab.h"

#include "symbolizer/bytes.h"
#include "symbolizer/moduledata.h"

static struct sym_section_bytes area_at(
    struct sym_section_bytes bytes, uint64_t offset)
{
    if (offset >= bytes.count)
        return (struct sym_section_bytes){0};
    return (struct sym_section_bytes){
        .start = (const uint8_t *)bytes.start + offset,
        .count = bytes.count - offset};
}

/* ---- the head ---- */

/* Of Go 1.2: behind the rows comes where its list of files is. */
static void read_old_areas(struct sym_pclntab *table)
{
    unsigned word = table->word_bytes;
    table->names = table->values = table->bytes;
    table->functions = area_at(table->bytes, 8 + (uint64_t)word);
    if (table->function_count > table->functions.count / (2 * word))
        return;
    struct sym_bytes behind = sym_bytes_of(
        table->functions.start, table->functions.count,
        (table->function_count * 2 + 1) * word);
    table->files = area_at(table->bytes, sym_bytes_fixed(&behind, 4));
}

static uint64_t text_start_of(const struct sym_image *image)
{
    GElf_Shdr header;
    return sym_image_section(image, ".text", &header) != NULL ? header.sh_addr
                                                              : 0;
}

/* The tables behind the count of functions. */
static void read_areas(struct sym_pclntab *table, struct sym_bytes *head)
{
    unsigned word = table->word_bytes;
    (void)sym_bytes_fixed(head, word); /* how many files there are */
    if (table->form != SYM_GO_1_16) {
        table->text_start = sym_bytes_fixed(head, word);
        table->cell_bytes = 4;
        /* Left to the dynamic linker in a position-independent file, and
           left out by later versions. */
        if (table->text_start == 0)
            table->text_start = text_start_of(table->image);
    }
    struct sym_section_bytes *const areas[] = {
        &table->names, &table->units, &table->files, &table->values,
        &table->functions};
    for (size_t i = 0; i < sizeof areas / sizeof areas[0]; i++)
        *areas[i] = area_at(table->bytes, sym_bytes_fixed(head, word));
}

static bool read_head(struct sym_pclntab *table)
{
    struct sym_bytes head =
        sym_bytes_of(table->bytes.start, table->bytes.count, 0);
    table->form = (enum sym_pclntab_form)sym_bytes_fixed(&head, 4);
    (void)sym_bytes_fixed(&head, 2);
    table->quantum = (unsigned)sym_bytes_fixed(&head, 1);
    unsigned word = (unsigned)sym_bytes_fixed(&head, 1);
    if ((table->form != SYM_GO_1_2 && table->form != SYM_GO_1_16 &&
         table->form != SYM_GO_1_18 && table->form != SYM_GO_1_20) ||
        (word != 4 && word != 8))
        return false;
    table->word_bytes = table->cell_bytes = word;
    table->function_count = sym_bytes_fixed(&head, word);
    if (table->form == SYM_GO_1_2)
        read_old_areas(table);
    else
        read_areas(table, &head);
    uint64_t rows = table->functions.count / (2 * table->cell_bytes);
    return !head.is_bad && table->function_count <= rows;
}

static uint64_t offset_of(
    const struct sym_pclntab *table, struct sym_section_bytes area)
{
    return (
        uint64_t)((const char *)area.start - (const char *)table->bytes.start);
}

/* What entries count from, and where the data of functions is. */
static void ask_moduledata(struct sym_pclntab *table, uint64_t vaddr)
{
    struct sym_moduledata known;
    const struct sym_moduledata_search search = {
        .image = table->image,
        .word_bytes = table->word_bytes,
        .is_go_1_18 = table->form == SYM_GO_1_18,
        .table_vaddr = vaddr,
        .names = offset_of(table, table->names),
        .functions = offset_of(table, table->functions)};
    if (!sym_moduledata_find(&known, &search))
        return;
    table->text_start = known.text_start;
    table->data = known.function_data;
}

bool sym_pclntab_open(struct sym_pclntab *table, const struct sym_image *image)
{
    static const char *const sections[] = {
        ".gopclntab", ".data.rel.ro.gopclntab"};
    *table = (struct sym_pclntab){.image = image};
    GElf_Shdr header = {0};
    for (int i = 0; i < 2 && table->bytes.start == NULL; i++) {
        if (sym_image_section(image, sections[i], &header) != NULL)
            table->bytes = sym_image_bytes(image, sections[i]);
    }
    if (table->bytes.start == NULL || !read_head(table))
        return false;
    if (table->cell_bytes == 4)
        ask_moduledata(table, header.sh_addr);
    return true;
}

/* ---- functions ---- */

const char *sym_pclntab_name(const struct sym_pclntab *table, uint64_t offset)
{
    return sym_bytes_short_text(
        sym_bytes_of(table->names.start, table->names.count, offset));
}

/* Where a row's function begins; the row behind the last: where it ends. */
static uint64_t entry_of(const struct sym_pclntab *table, uint64_t row)
{
    struct sym_bytes bytes = sym_bytes_of(
        table->functions.start, table->functions.count,
        row * 2 * table->cell_bytes);
    return table->text_start + sym_bytes_fixed(&bytes, table->cell_bytes);
}

bool sym_pclntab_function(
    const struct sym_pclntab *table, uint64_t row,
    struct sym_pclntab_function *function)
{
    unsigned cell = table->cell_bytes;
    struct sym_bytes bytes = sym_bytes_of(
        table->functions.start, table->functions.count, row * 2 * cell);
    uint64_t entry = sym_bytes_fixed(&bytes, cell);
    uint64_t offset = sym_bytes_fixed(&bytes, cell);
    uint64_t end = sym_bytes_fixed(&bytes, cell);

    /* Offsets of functions count from their area, in Go 1.2 from the table. */
    struct sym_section_bytes head = area_at(
        table->form == SYM_GO_1_2 ? table->bytes : table->functions, offset);
    struct sym_bytes more = sym_bytes_of(head.start, head.count, 0);
    sym_bytes_skip(&more, cell);
    uint64_t name = sym_bytes_fixed(&more, 4);
    if (bytes.is_bad || more.is_bad || end <= entry)
        return false;
    *function = (struct sym_pclntab_function){
        .vaddr = table->text_start + entry,
        .end = table->text_start + end,
        .name = sym_pclntab_name(table, name),
        .head = head};
    return true;
}

bool sym_pclntab_find(
    const struct sym_pclntab *table, uint64_t vaddr,
    struct sym_pclntab_function *function)
{
    uint64_t low = 0, high = table->function_count;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (entry_of(table, middle) <= vaddr)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 && sym_pclntab_function(table, low - 1, function) &&
           vaddr >= function->vaddr && vaddr < function->end;
}

bool sym_names_add_pclntab(
    struct sym_names *names, const struct sym_image *image)
{
    struct sym_pclntab table;
    if (!sym_pclntab_open(&table, image))
        return true;
    for (uint64_t row = 0; row < table.function_count; row++) {
        struct sym_pclntab_function function;
        if (!sym_pclntab_function(&table, row, &function) ||
            !sym_image_is_code(image, function.vaddr))
            continue;
        struct sym_symbol symbol = {
            .vaddr = function.vaddr,
            .size = function.end - function.vaddr,
            .limit = function.end,
            .name = function.name,
            .type = STT_FUNC,
            .binding = STB_LOCAL};
        if (!sym_names_add(names, &symbol))
            return false;
    }
    return true;
}
