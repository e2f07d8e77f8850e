/*
 * Names from Go's own table: a program of the Go that is installed, and tables
 * of the older forms made by hand after debug/gosym.
 */
#include "tests/harness.h"

#include <elf.h>
#include <string.h>

#include "symbolizer/pclntab.h"
#include "tests/symbolizer/fixture.h"

#define TEXT_VADDR UINT64_C(0x401000)

enum { TEXT_BYTES = 0x100, TABLE_AT = 0x200, FILE_BYTES = 0x800 };

/* An ELF file with one executable segment, .text and .gopclntab. */
struct file {
    uint8_t bytes[FILE_BYTES];
    size_t count; /* of the table */
};

static void put(struct file *file, uint64_t value, size_t width)
{
    memcpy(file->bytes + TABLE_AT + file->count, &value, width);
    file->count += width;
}

static void put_head(struct file *file, uint32_t magic)
{
    put(file, magic, 4);
    put(file, 0x08010000, 4); /* zeros, instructions of 1 byte, words of 8 */
}

/* Two functions, "main.a" of 0x10 bytes and "main.bb" of 0x20. */
static const char names[] = "main.a\0main.bb";

static void put_names(struct file *file)
{
    memcpy(file->bytes + TABLE_AT + file->count, names, sizeof names);
    file->count += sizeof names;
}

static void put_rows(struct file *file, uint64_t base, size_t cell, size_t area)
{
    size_t first = area + 5 * cell, step = cell + 4;
    put(file, base, cell);
    put(file, first, cell);
    put(file, base + 0x10, cell);
    put(file, first + step, cell);
    put(file, base + 0x30, cell);
}

static void put_function(
    struct file *file, uint64_t entry, size_t cell, uint32_t name)
{
    put(file, entry, cell);
    put(file, name, 4);
}

static void make_go_1_2(struct file *file)
{
    put_head(file, 0xfffffffb);
    put(file, 2, 8);
    size_t names_at = 16 + 5 * 8 + 2 * 12;
    put_rows(file, TEXT_VADDR, 8, 16);
    put_function(file, TEXT_VADDR, 8, (uint32_t)names_at);
    put_function(file, TEXT_VADDR + 0x10, 8, (uint32_t)names_at + 7);
    put_names(file);
}

static void make_areas(struct file *file, uint32_t magic, bool is_late)
{
    size_t cell = is_late ? 4 : 8;
    put_head(file, magic);
    put(file, 2, 8); /* functions */
    put(file, 1, 8); /* files */
    if (is_late)
        put(file, magic == 0xfffffff0 ? TEXT_VADDR : 0, 8);
    size_t names_at = file->count + 5 * 8;
    put(file, names_at, 8);
    for (int i = 0; i < 3; i++)
        put(file, 0, 8);
    put(file, names_at + sizeof names, 8);
    put_names(file);
    uint64_t base = is_late ? 0 : TEXT_VADDR;
    put_rows(file, base, cell, 0);
    put_function(file, base, cell, 0);
    put_function(file, base + 0x10, cell, 7);
}

static void finish(struct file *file)
{
    static const char section_names[] = "\0.text\0.gopclntab\0.shstrtab";
    size_t names_at = TABLE_AT + file->count;
    memcpy(file->bytes + names_at, section_names, sizeof section_names);
    size_t headers_at = (names_at + sizeof section_names + 7) & ~(size_t)7;
    Elf64_Shdr sections[4] = {
        {0},
        {.sh_name = 1,
         .sh_type = SHT_PROGBITS,
         .sh_flags = SHF_ALLOC | SHF_EXECINSTR,
         .sh_addr = TEXT_VADDR,
         .sh_offset = 0x100,
         .sh_size = TEXT_BYTES},
        {.sh_name = 7,
         .sh_type = SHT_PROGBITS,
         .sh_offset = TABLE_AT,
         .sh_size = file->count},
        {.sh_name = 18,
         .sh_type = SHT_STRTAB,
         .sh_offset = names_at,
         .sh_size = sizeof section_names}};
    memcpy(file->bytes + headers_at, sections, sizeof sections);
    Elf64_Phdr segment = {
        .p_type = PT_LOAD,
        .p_flags = PF_R | PF_X,
        .p_offset = 0x100,
        .p_vaddr = TEXT_VADDR,
        .p_filesz = TEXT_BYTES,
        .p_memsz = TEXT_BYTES};
    memcpy(file->bytes + 64, &segment, sizeof segment);
    Elf64_Ehdr header = {
        .e_ident =
            {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
             EV_CURRENT},
        .e_type = ET_EXEC,
        .e_machine = EM_X86_64,
        .e_version = EV_CURRENT,
        .e_phoff = 64,
        .e_shoff = headers_at,
        .e_ehsize = 64,
        .e_phentsize = sizeof segment,
        .e_phnum = 1,
        .e_shentsize = sizeof sections[0],
        .e_shnum = 4,
        .e_shstrndx = 3};
    memcpy(file->bytes, &header, sizeof header);
}

static void check_file(struct file *file)
{
    finish(file);
    struct sym_symbolizer *symbolizer = fixture_symbolizer(NULL);
    struct sym_source source = {
        .path = "go", .image = file->bytes, .image_bytes = FILE_BYTES};
    struct sym_module *module = NULL;
    CHECK_OK(sym_module_open(symbolizer, &source, &module, NULL));
    static const char *const wanted[] = {"main.a", "main.bb", "main.bb"};
    for (unsigned i = 0; i < 3; i++) {
        struct sym_frames frames =
            fixture_lookup(module, TEXT_VADDR + 0x10 * i + 5);
        CHECK_EQ(frames.count, 1);
        CHECK_STR(frames.rows[0].function, wanted[i]);
    }
    CHECK_EQ(fixture_lookup(module, TEXT_VADDR + 0x30).count, 0);
    sym_symbolizer_destroy(symbolizer);
}

TEST(table_of_go_1_2_names_functions)
{
    struct file file = {.count = 0};
    make_go_1_2(&file);
    check_file(&file);
}

TEST(table_of_go_1_16_names_functions)
{
    struct file file = {.count = 0};
    make_areas(&file, 0xfffffffa, false);
    check_file(&file);
}

TEST(table_of_go_1_18_names_functions)
{
    struct file file = {.count = 0};
    make_areas(&file, 0xfffffff0, true);
    check_file(&file);
}

TEST(table_of_go_1_20_without_a_start_counts_from_the_text)
{
    struct file file = {.count = 0};
    make_areas(&file, 0xfffffff1, true);
    check_file(&file);
}

TEST(table_cut_anywhere_gives_names_or_none)
{
    struct file whole = {.count = 0};
    make_areas(&whole, 0xfffffff1, true);
    for (size_t count = 0; count < whole.count; count++) {
        struct file file = whole;
        file.count = count;
        memset(file.bytes + TABLE_AT + count, 0xff, whole.count - count);
        finish(&file);
        struct sym_symbolizer *symbolizer = fixture_symbolizer(NULL);
        struct sym_source source = {
            .path = "go", .image = file.bytes, .image_bytes = FILE_BYTES};
        struct sym_module *module = NULL;
        CHECK_OK(sym_module_open(symbolizer, &source, &module, NULL));
        (void)fixture_lookup(module, TEXT_VADDR + 5);
        sym_symbolizer_destroy(symbolizer);
    }
}

/* Every function that the unstripped program's symbol table has. */
TEST(stripped_program_of_the_go_at_hand_keeps_its_names)
{
    if (!fixture_exists("go_stripped"))
        return;
    static const char *const functions[] = {
        "main.main", "main.work", "runtime.mallocgc", "fmt.Fprintln"};
    struct sym_symbolizer *symbolizer = fixture_symbolizer(NULL);
    struct sym_module *module = fixture_open(symbolizer, "go_stripped");
    for (unsigned i = 0; i < 4; i++) {
        uint64_t vaddr = fixture_symbol("go", functions[i]);
        struct sym_frames frames = fixture_lookup(module, vaddr + 1);
        CHECK_EQ(frames.count, 1);
        CHECK_STR(frames.rows[0].function, functions[i]);
        CHECK_EQ(frames.start_vaddr, vaddr);
    }
    sym_symbolizer_destroy(symbolizer);
}
