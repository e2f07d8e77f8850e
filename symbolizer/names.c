/* The names tier: symbols ranked, flattened and found. */
#include "symbolizer/names.h"

#include <stdlib.h>
#include <string.h>

#include "symbolizer/bytes.h"
#include "symbolizer/image.h"
#include "symbolizer/spans.h"

/* ---- which symbols, and which of them is better ---- */

/* Labels that assemblers and compilers leave behind, not functions. */
static bool is_label(const char *name)
{
    if (name[0] == '.' && name[1] == 'L')
        return true;
    /* Mapping symbols of Arm and RISC-V: $a, $d, $t, $x, and "$x.7". */
    return name[0] == '$' && name[1] != '\0' &&
           (name[2] == '\0' || name[2] == '.');
}

static int type_rank(uint8_t type)
{
    switch (type) {
    case STT_FUNC:
    case STT_GNU_IFUNC:
        return 3;
    case STT_NOTYPE:
        return 2;
    case STT_OBJECT:
        return 1;
    default:
        return 0; /* sections, files, thread-local data */
    }
}

static int binding_rank(uint8_t binding)
{
    switch (binding) {
    case STB_GLOBAL:
    case STB_GNU_UNIQUE:
        return 2;
    case STB_WEAK:
        return 1;
    default:
        return 0;
    }
}

/* Below 0 when `a` has the better name. */
static int compare_names(const char *a, const char *b)
{
    /* The C library's names for itself, beside the public ones. */
    bool is_a_internal = strncmp(a, "__GI_", 5) == 0;
    bool is_b_internal = strncmp(b, "__GI_", 5) == 0;
    if (is_a_internal != is_b_internal)
        return is_b_internal ? -1 : 1;
    size_t a_underscores = strspn(a, "_"), b_underscores = strspn(b, "_");
    if (a_underscores != b_underscores)
        return a_underscores < b_underscores ? -1 : 1;
    size_t a_bytes = strlen(a), b_bytes = strlen(b);
    if (a_bytes != b_bytes)
        return a_bytes < b_bytes ? -1 : 1;
    return strcmp(a, b);
}

/* By address; at one address the best symbol comes last. */
static int by_vaddr(const void *left, const void *right)
{
    const struct sym_symbol *a = left, *b = right;
    if (a->vaddr != b->vaddr)
        return a->vaddr < b->vaddr ? -1 : 1;
    int order = type_rank(a->type) - type_rank(b->type);
    if (order == 0)
        order = binding_rank(a->binding) - binding_rank(b->binding);
    if (order == 0)
        order = (a->size != 0) - (b->size != 0);
    if (order == 0)
        order = -compare_names(a->name, b->name);
    if (order == 0)
        order = !a->is_exact - !b->is_exact;
    return order;
}

size_t sym_symbol_name_bytes(const struct sym_symbol *symbol)
{
    size_t bytes = strcspn(symbol->name, "@");
    return bytes ? bytes : strlen(symbol->name);
}

bool sym_names_add(struct sym_names *names, const struct sym_symbol *symbol)
{
    names->symbols.row_bytes = sizeof *symbol;
    if (type_rank(symbol->type) == 0 || symbol->name[0] == '\0' ||
        is_label(symbol->name) || symbol->vaddr >= symbol->limit)
        return true;
    return table_add(&names->symbols, symbol) != TABLE_NONE;
}

/* ---- from ELF ---- */

struct elf_symbols {
    Elf *elf;
    Elf_Data *rows, *extended_sections;
    struct sym_section_bytes strings;
    bool is_dynamic;
    uint64_t shift;
    uint32_t file; /* of the local symbols that follow */
};

/* Where the section of a symbol ends, or 0 when it holds no code. */
static uint64_t code_limit(Elf *elf, size_t section_index)
{
    Elf_Scn *section = elf_getscn(elf, section_index);
    GElf_Shdr header;
    if (section == NULL || gelf_getshdr(section, &header) == NULL ||
        (header.sh_flags & SHF_EXECINSTR) == 0 ||
        header.sh_size > UINT64_MAX - header.sh_addr)
        return 0;
    return header.sh_addr + header.sh_size;
}

/* Not by elf_strptr(), which goes through all of a table that has no end. */
static const char *name_of(const struct elf_symbols *from, const GElf_Sym *row)
{
    return sym_bytes_short_text(
        sym_bytes_of(from->strings.start, from->strings.count, row->st_name));
}

static struct sym_section_bytes strings_of(Elf *elf, size_t section)
{
    Elf_Data *data = elf_getdata(elf_getscn(elf, section), NULL);
    return data == NULL || data->d_buf == NULL
               ? (struct sym_section_bytes){0}
               : (struct sym_section_bytes){
                     .start = data->d_buf, .count = data->d_size};
}

/* Local symbols stand behind the file they come from, which may be "". */
static bool begin_file(
    struct sym_names *names, struct elf_symbols *from, const GElf_Sym *row)
{
    const char *name = name_of(from, row);
    from->file = 0;
    if (name[0] == '\0')
        return true;
    names->files.row_bytes = sizeof name;
    uint32_t id = table_add(&names->files, &name);
    from->file = id + 1;
    return id != TABLE_NONE;
}

static bool add_elf_symbol(
    struct sym_names *names, struct elf_symbols *from, int index)
{
    GElf_Sym row;
    Elf32_Word section = 0;
    if (gelf_getsymshndx(
            from->rows, from->extended_sections, index, &row, &section) == NULL)
        return true;
    if (GELF_ST_TYPE(row.st_info) == STT_FILE)
        return begin_file(names, from, &row);
    if (row.st_shndx != SHN_XINDEX) {
        if (row.st_shndx >= SHN_LORESERVE)
            return true;
        section = row.st_shndx;
    }
    if (section == SHN_UNDEF || type_rank(GELF_ST_TYPE(row.st_info)) == 0)
        return true;

    struct sym_symbol symbol = {
        .vaddr = row.st_value,
        .size = row.st_size,
        .limit = code_limit(from->elf, section),
        .name = name_of(from, &row),
        .type = GELF_ST_TYPE(row.st_info),
        .binding = GELF_ST_BIND(row.st_info),
        .is_exact = from->is_dynamic};
    if (symbol.limit != 0) { /* else it names no code */
        symbol.vaddr += from->shift;
        symbol.limit += from->shift;
    }
    if (symbol.binding == STB_LOCAL)
        symbol.file = from->file;
    return sym_names_add(names, &symbol);
}

/* The SHT_SYMTAB_SHNDX section that belongs to a symbol table, or NULL. */
static Elf_Data *extended_sections(Elf *elf, Elf_Scn *symbols)
{
    for (Elf_Scn *section = elf_nextscn(elf, NULL); section != NULL;
         section = elf_nextscn(elf, section)) {
        GElf_Shdr header;
        if (gelf_getshdr(section, &header) != NULL &&
            header.sh_type == SHT_SYMTAB_SHNDX &&
            header.sh_link == elf_ndxscn(symbols))
            return elf_getdata(section, NULL);
    }
    return NULL;
}

static bool add_elf_table(
    struct sym_names *names, Elf *elf, Elf_Scn *section,
    const GElf_Shdr *header, uint64_t shift)
{
    struct elf_symbols from = {
        .elf = elf,
        .shift = shift,
        .rows = elf_getdata(section, NULL),
        .extended_sections = extended_sections(elf, section),
        .strings = strings_of(elf, header->sh_link),
        .is_dynamic = header->sh_type == SHT_DYNSYM};
    size_t row_bytes = gelf_fsize(elf, ELF_T_SYM, 1, EV_CURRENT);
    if (from.rows == NULL || row_bytes == 0)
        return true;

    size_t count = from.rows->d_size / row_bytes;
    for (size_t i = 1; i < count && i <= INT32_MAX; i++) {
        if (!add_elf_symbol(names, &from, (int)i))
            return false;
    }
    return true;
}

bool sym_names_add_elf(
    struct sym_names *names, Elf *elf, uint32_t table_type, uint64_t shift)
{
    for (Elf_Scn *section = elf_nextscn(elf, NULL); section != NULL;
         section = elf_nextscn(elf, section)) {
        GElf_Shdr header;
        if (gelf_getshdr(section, &header) == NULL ||
            header.sh_type != table_type)
            continue;
        /* There is one of a type, by the specification. */
        return add_elf_table(names, elf, section, &header, shift);
    }
    return true;
}

/* ---- from the kernel ---- */

/* One line: "ffffffff81000000 T name\t[module]". */
static bool add_kallsyms_line(
    struct sym_names *names, char *line, bool *has_address)
{
    char *after;
    uint64_t vaddr = strtoull(line, &after, 16);
    if (after == line || after[0] != ' ' || after[1] == '\0' || after[2] != ' ')
        return true;
    char kind = after[1];
    if (vaddr == 0 || strchr("tTwW", kind) == NULL)
        return true;
    *has_address = true;

    char *name = after + 3;
    name[strcspn(name, " \t")] = '\0';
    struct sym_symbol symbol = {
        .vaddr = vaddr,
        .limit = UINT64_MAX,
        .name = name,
        .type = STT_FUNC,
        .binding = kind == 'T'   ? STB_GLOBAL
                   : kind == 't' ? STB_LOCAL
                                 : STB_WEAK};
    return sym_names_add(names, &symbol);
}

bool sym_names_add_kallsyms(struct sym_names *names, char *text, bool *hidden)
{
    bool has_address = false, is_empty = *text == '\0';
    while (*text != '\0') {
        char *end = text + strcspn(text, "\n");
        bool is_last = *end == '\0';
        *end = '\0';
        if (!add_kallsyms_line(names, text, &has_address))
            return false;
        text = is_last ? end : end + 1;
    }
    *hidden = !has_address && !is_empty;
    return true;
}

/* ---- flattening ---- */

/* Rows [first, last] share an address. One span for all of them; the best one
   speaks for the greatest size that any of them has. */
static bool add_span(
    struct sym_names *names, uint32_t first, uint32_t last, uint64_t *sized_end)
{
    struct sym_symbol *rows = names->symbols.rows, *best = &rows[last];
    for (uint32_t i = first; i < last; i++) {
        if (rows[i].size > best->size)
            best->size = rows[i].size;
    }
    uint64_t end = best->limit;
    if (best->size != 0) {
        if (best->size < end - best->vaddr)
            end = best->vaddr + best->size;
        if (end > *sized_end)
            *sized_end = end;
    } else if (best->vaddr < *sized_end) {
        return true; /* a label inside a function */
    } else if (best->is_exact) {
        end = best->vaddr + 1;
    } else if (
        last + 1 < names->symbols.count && rows[last + 1].vaddr < best->limit) {
        end = rows[last + 1].vaddr;
    }
    struct sym_span span = {.start = best->vaddr, .end = end, .owner = last};
    return table_add(&names->spans, &span) != TABLE_NONE;
}

bool sym_names_finish(struct sym_names *names)
{
    names->spans.row_bytes = sizeof(struct sym_span);
    const struct sym_symbol *rows = names->symbols.rows;
    uint32_t count = names->symbols.count;
    if (count > 1)
        qsort(names->symbols.rows, count, sizeof *rows, by_vaddr);

    uint64_t sized_end = 0;
    for (uint32_t first = 0, last; first < count; first = last + 1) {
        last = first;
        while (last + 1 < count && rows[last + 1].vaddr == rows[first].vaddr)
            last++;
        if (!add_span(names, first, last, &sized_end))
            return false;
    }
    return sym_spans_flatten(&names->spans);
}

const struct sym_symbol *sym_names_find(
    const struct sym_names *names, uint64_t vaddr)
{
    const struct sym_span *span = sym_spans_find(&names->spans, vaddr);
    return span ? table_row(&names->symbols, span->owner) : NULL;
}

const char *sym_names_file(
    const struct sym_names *names, const struct sym_symbol *symbol)
{
    return symbol->file == 0
               ? ""
               : *(const char **)table_row(&names->files, symbol->file - 1);
}

void sym_names_fini(struct sym_names *names)
{
    table_fini(&names->files);
    table_fini(&names->symbols);
    table_fini(&names->spans);
}
