/* Made by hand, since no linker at hand writes the older forms. */
#include "tests/symbolizer/go_maker.h"

#include <elf.h>
#include <string.h>

enum { A_BYTES = 0x10, BB_BYTES = 0x20, TEXT_BYTES = 0x100 };

/* Offsets of names, and of values by pc, in their areas. */
static const char names[] = "main.a\0main.bb\0main.c\0main.d\0/go/x.go";
enum { NAME_A = 0, NAME_BB = 7, NAME_C = 15, NAME_D = 22, NAME_FILE = 29 };

static const uint8_t values[] = {
    0,                               /* none */
    2,  0x20, 0,                     /* file 0 */
    22, 8,    13, 8, 8, 8, 8, 8, 0,  /* lines 10, 3, 7, 11 */
    0,  8,    2,  8, 2, 8, 3, 8, 0}; /* rows -1, 0, 1, -1 */
enum { VALUES_FILE = 1, VALUES_LINE = 4, VALUES_ROW = 13 };

static void put(struct go_file *file, uint64_t value, size_t width)
{
    memcpy(file->bytes + GO_TABLE_AT + file->count, &value, width);
    file->count += width;
}

static size_t put_bytes(struct go_file *file, const void *bytes, size_t count)
{
    size_t at = file->count;
    memcpy(file->bytes + GO_TABLE_AT + at, bytes, count);
    file->count += (count + 7) & ~(size_t)7;
    return at;
}

static size_t cell_of(enum sym_pclntab_form form)
{
    return form == SYM_GO_1_18 || form == SYM_GO_1_20 ? 4 : 8;
}

/* ---- functions ---- */

struct function {
    uint64_t entry;
    uint32_t name, file, line, row; /* values: 0 for none */
    size_t from;                    /* what their offsets count from */
};

static void put_function(
    struct go_file *file, enum sym_pclntab_form form,
    const struct function *function)
{
    uint32_t values_from = form == SYM_GO_1_2 ? (uint32_t)file->values_at : 0;
    uint32_t names_from = form == SYM_GO_1_2 ? (uint32_t)file->names_at : 0;
    put(file, function->entry, cell_of(form));
    put(file, names_from + function->name, 4);
    put(file, 0, 4); /* arguments */
    put(file, 0, 4); /* deferreturn */
    put(file, 0, 4); /* stack pointer */
    put(file, values_from + function->file, 4);
    put(file, values_from + function->line, 4);
    put(file, 3, 4); /* other values */
    if (form != SYM_GO_1_2)
        put(file, 0, 4); /* unit */
    if (form == SYM_GO_1_20)
        put(file, 1, 4); /* first line */
    put(file, UINT32_C(4) << 24, 4);
    put(file, 0, 4);
    put(file, 0, 4);
    put(file, function->row, 4);
    bool is_address = form == SYM_GO_1_2 || form == SYM_GO_1_16;
    if (is_address)
        file->count = (file->count + 7) & ~(size_t)7;
    for (int i = 0; i < 3; i++)
        put(file, UINT64_MAX, is_address ? 8 : 4);
    put(file, is_address ? GO_TABLE_VADDR + GO_DATA_AT - GO_TABLE_AT : 0,
        is_address ? 8 : 4);
}

/* Rows and functions. */
static void put_functions(
    struct go_file *file, enum sym_pclntab_form form, size_t from)
{
    size_t cell = cell_of(form);
    uint64_t base = cell == 4 ? 0 : GO_START_VADDR;
    const struct function functions[] = {
        {.entry = base, .name = NAME_A},
        {.entry = base + A_BYTES,
         .name = NAME_BB,
         .file = VALUES_FILE,
         .line = VALUES_LINE,
         .row = VALUES_ROW}};
    size_t rows_at = file->count;
    file->count += 5 * cell + (form == SYM_GO_1_2 ? 4 : 0);
    uint64_t offsets[2];
    for (int i = 0; i < 2; i++) {
        file->count = (file->count + 7) & ~(size_t)7;
        offsets[i] = file->count - from;
        put_function(file, form, &functions[i]);
    }
    size_t end = file->count;
    file->count = rows_at;
    for (int i = 0; i < 2; i++) {
        put(file, functions[i].entry, cell);
        put(file, offsets[i], cell);
    }
    put(file, base + A_BYTES + BB_BYTES, cell);
    if (form == SYM_GO_1_2)
        put(file, file->files_at, 4);
    file->count = end;
}

/* ---- the table ---- */

static void put_old(struct go_file *file)
{
    file->count = 0x200; /* rows come first, and say where the rest is */
    file->names_at = put_bytes(file, names, sizeof names);
    file->values_at = put_bytes(file, values, sizeof values);
    uint32_t files[] = {(uint32_t)file->names_at + NAME_FILE};
    file->files_at = put_bytes(file, files, sizeof files);
    size_t end = file->count;
    file->count = 16;
    put_functions(file, SYM_GO_1_2, 0);
    file->count = end;
}

static void put_areas(struct go_file *file, enum sym_pclntab_form form)
{
    static const uint32_t units[] = {NAME_FILE};
    size_t offsets_at = file->count;
    file->count += 5 * 8;
    file->names_at = put_bytes(file, names, sizeof names);
    file->units_at = put_bytes(file, units, sizeof units);
    file->files_at = file->names_at;
    file->values_at = put_bytes(file, values, sizeof values);
    file->functions_at = file->count;
    put_functions(file, form, file->functions_at);
    size_t end = file->count;
    file->count = offsets_at;
    put(file, file->names_at, 8);
    put(file, file->units_at, 8);
    put(file, file->files_at, 8);
    put(file, file->values_at, 8);
    put(file, file->functions_at, 8);
    file->count = end;
}

static void put_calls(struct go_file *file, enum sym_pclntab_form form)
{
    struct {
        uint32_t name, parent;
    } const calls[] = {{NAME_C, 0}, {NAME_D, 8}};
    uint8_t *at = file->bytes + GO_DATA_AT;
    for (int i = 0; i < 2; i++) {
        bool is_late = form == SYM_GO_1_20;
        memcpy(at + (is_late ? 4 : 12), &calls[i], sizeof calls[i]);
        at += is_late ? 16 : 20;
    }
}

/* Only what is read of it. */
static void put_moduledata(struct go_file *file, enum sym_pclntab_form form)
{
    uint64_t words[41] = {
        [0] = GO_TABLE_VADDR,
        [1] = GO_TABLE_VADDR + file->names_at,
        [13] = GO_TABLE_VADDR + file->functions_at,
        [22] = GO_START_VADDR};
    words[form == SYM_GO_1_18 ? 38 : 40] =
        GO_TABLE_VADDR + GO_DATA_AT - GO_TABLE_AT;
    memcpy(file->bytes + GO_MODULE_AT, words, sizeof words);
}

/* ---- the ELF file ---- */

static void put_sections(struct go_file *file)
{
    static const char section_names[] =
        "\0.text\0.gopclntab\0.shstrtab\0.noptrdata";
    memcpy(file->bytes + GO_END_AT, section_names, sizeof section_names);
    const Elf64_Shdr sections[5] = {
        {0},
        {.sh_name = 1,
         .sh_type = SHT_PROGBITS,
         .sh_flags = SHF_ALLOC | SHF_EXECINSTR,
         .sh_addr = GO_TEXT_VADDR,
         .sh_offset = 0x100,
         .sh_size = TEXT_BYTES},
        {.sh_name = 7,
         .sh_type = SHT_PROGBITS,
         .sh_addr = GO_TABLE_VADDR,
         .sh_offset = GO_TABLE_AT,
         .sh_size = file->count},
        {.sh_name = 28,
         .sh_type = SHT_PROGBITS,
         .sh_addr = GO_TABLE_VADDR + GO_MODULE_AT - GO_TABLE_AT,
         .sh_offset = GO_MODULE_AT,
         .sh_size = GO_DATA_AT - GO_MODULE_AT},
        {.sh_name = 18,
         .sh_type = SHT_STRTAB,
         .sh_offset = GO_END_AT,
         .sh_size = sizeof section_names}};
    memcpy(file->bytes + GO_END_AT + 0x80, sections, sizeof sections);
}

static void put_headers(struct go_file *file)
{
    const Elf64_Phdr segments[2] = {
        {.p_type = PT_LOAD,
         .p_flags = PF_R | PF_X,
         .p_offset = 0x100,
         .p_vaddr = GO_TEXT_VADDR,
         .p_filesz = TEXT_BYTES,
         .p_memsz = TEXT_BYTES},
        {.p_type = PT_LOAD,
         .p_flags = PF_R,
         .p_offset = GO_TABLE_AT,
         .p_vaddr = GO_TABLE_VADDR,
         .p_filesz = GO_END_AT - GO_TABLE_AT,
         .p_memsz = GO_END_AT - GO_TABLE_AT}};
    memcpy(file->bytes + sizeof(Elf64_Ehdr), segments, sizeof segments);
    const Elf64_Ehdr header = {
        .e_ident =
            {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
             EV_CURRENT},
        .e_type = ET_EXEC,
        .e_machine = EM_X86_64,
        .e_version = EV_CURRENT,
        .e_phoff = sizeof header,
        .e_shoff = GO_END_AT + 0x80,
        .e_ehsize = sizeof header,
        .e_phentsize = sizeof segments[0],
        .e_phnum = 2,
        .e_shentsize = sizeof(Elf64_Shdr),
        .e_shnum = 5,
        .e_shstrndx = 4};
    memcpy(file->bytes, &header, sizeof header);
}

void go_file_make(struct go_file *file, enum sym_pclntab_form form)
{
    *file = (struct go_file){.count = 0};
    put(file, (uint32_t)form, 4);
    put(file, 0x08010000, 4); /* zeros, instructions of 1 byte, words of 8 */
    put(file, 2, 8);          /* functions */
    if (form == SYM_GO_1_2) {
        put_old(file);
    } else {
        put(file, 1, 8); /* files */
        if (cell_of(form) == 4)
            put(file, 0, 8); /* as since Go 1.26 */
        put_areas(file, form);
    }
    put_calls(file, form);
    if (cell_of(form) == 4)
        put_moduledata(file, form);
    put_sections(file);
    put_headers(file);
}
