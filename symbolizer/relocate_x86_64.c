/*
 * Relocations of x86-64 (psABI, section 4.4.1), those that debug information
 * and .eh_frame are written with.
 *
 * Work is bounded by the size of the file: sections of a hostile one may all
 * be the same bytes.
 */
#include "symbolizer/relocate.h"

#include <stdbool.h>
#include <string.h>

#include "symbolizer/image.h"

/* Bytes of a section to be changed. */
struct target {
    size_t section; /* its number */
    uint8_t *bytes;
    size_t count;
    uint64_t vaddr;
};

static bool is_relocatable(const struct sym_image *image)
{
    GElf_Ehdr header;
    return gelf_getehdr(image->elf, &header) != NULL &&
           header.e_type == ET_REL && header.e_machine == EM_X86_64 &&
           gelf_getclass(image->elf) == ELFCLASS64;
}

/* The section's bytes in the image, which are ours to change. */
static Elf_Data *bytes_of(Elf_Scn *section)
{
    Elf_Data *data = section != NULL ? elf_rawdata(section, NULL) : NULL;
    return data != NULL && data->d_buf != NULL ? data : NULL;
}

/* ---- places ---- */

static void lay_out(
    const struct sym_image *image, bool is_code, uint64_t *vaddr)
{
    GElf_Shdr header;
    for (Elf_Scn *section = elf_nextscn(image->elf, NULL); section != NULL;
         section = elf_nextscn(image->elf, section)) {
        if (gelf_getshdr(section, &header) == NULL ||
            (header.sh_flags & SHF_ALLOC) == 0 ||
            ((header.sh_flags & SHF_EXECINSTR) != 0) != is_code)
            continue;
        uint64_t align = header.sh_addralign;
        if (align == 0 || (align & (align - 1)) != 0)
            align = 1;
        header.sh_addr = (*vaddr + align - 1) & ~(align - 1);
        *vaddr = header.sh_addr + header.sh_size;
        (void)gelf_update_shdr(section, &header);
    }
}

/* ---- symbols ---- */

static void move_symbols(const struct sym_image *image, Elf_Data *table)
{
    for (size_t at = 0; at + sizeof(Elf64_Sym) <= table->d_size;
         at += sizeof(Elf64_Sym)) {
        Elf64_Sym symbol;
        GElf_Shdr home;
        memcpy(&symbol, (char *)table->d_buf + at, sizeof symbol);
        if (symbol.st_shndx == SHN_UNDEF || symbol.st_shndx >= SHN_LORESERVE ||
            gelf_getshdr(elf_getscn(image->elf, symbol.st_shndx), &home) ==
                NULL)
            continue;
        symbol.st_value += home.sh_addr;
        memcpy((char *)table->d_buf + at, &symbol, sizeof symbol);
    }
}

static void move_all_symbols(const struct sym_image *image)
{
    GElf_Shdr header;
    for (Elf_Scn *section = elf_nextscn(image->elf, NULL); section != NULL;
         section = elf_nextscn(image->elf, section)) {
        if (gelf_getshdr(section, &header) == NULL ||
            header.sh_type != SHT_SYMTAB)
            continue;
        Elf_Data *table = bytes_of(section);
        if (table != NULL)
            move_symbols(image, table);
        return; /* the format has one at most */
    }
}

/* ---- relocations ---- */

/* How many bytes a relocation writes; 0: it is not for us. */
static size_t width_of(uint64_t type)
{
    switch (type) {
    case R_X86_64_64:
    case R_X86_64_PC64:
        return 8;
    case R_X86_64_32:
    case R_X86_64_32S:
    case R_X86_64_PC32:
        return 4;
    default:
        return 0;
    }
}

static void apply_one(
    const struct target *target, const Elf_Data *symbols, const Elf64_Rela *row)
{
    uint64_t type = ELF64_R_TYPE(row->r_info), id = ELF64_R_SYM(row->r_info);
    size_t width = width_of(type);
    Elf64_Sym symbol;
    if (width == 0 || id >= symbols->d_size / sizeof symbol ||
        row->r_offset > target->count || target->count - row->r_offset < width)
        return;
    memcpy(&symbol, (char *)symbols->d_buf + id * sizeof symbol, sizeof symbol);
    uint64_t value = symbol.st_value + (uint64_t)row->r_addend;
    if (type == R_X86_64_PC32 || type == R_X86_64_PC64)
        value -= target->vaddr + row->r_offset;
    memcpy(target->bytes + row->r_offset, &value, width);
}

/* `*budget`: bytes of relocations that may still be read. */
static void apply(
    const struct sym_image *image, const struct target *target,
    uint64_t *budget)
{
    GElf_Shdr header;
    for (Elf_Scn *section = elf_nextscn(image->elf, NULL); section != NULL;
         section = elf_nextscn(image->elf, section)) {
        if (gelf_getshdr(section, &header) == NULL ||
            header.sh_type != SHT_RELA || header.sh_info != target->section)
            continue;
        const Elf_Data *rows = bytes_of(section);
        const Elf_Data *symbols =
            bytes_of(elf_getscn(image->elf, header.sh_link));
        if (rows == NULL || symbols == NULL || rows->d_size > *budget)
            continue;
        *budget -= rows->d_size;
        for (size_t at = 0; at + sizeof(Elf64_Rela) <= rows->d_size;
             at += sizeof(Elf64_Rela)) {
            Elf64_Rela row;
            memcpy(&row, (char *)rows->d_buf + at, sizeof row);
            apply_one(target, symbols, &row);
        }
    }
}

static bool is_wanted(const struct sym_image *image, const GElf_Shdr *header)
{
    const char *name = sym_image_section_name(image, header);
    return header->sh_type != SHT_NOBITS && header->sh_type != SHT_RELA &&
           (header->sh_flags & SHF_COMPRESSED) == 0 &&
           (strncmp(name, ".debug_", 7) == 0 || strcmp(name, ".eh_frame") == 0);
}

void sym_relocate(const struct sym_image *image)
{
    /* Sections a compiler makes: each is gone through for each of ours. */
    enum { TARGET_LIMIT = 64 };
    uint64_t vaddr = 0, budget = image->bytes_count;
    unsigned targets = 0;
    GElf_Shdr header;
    if (!is_relocatable(image))
        return;
    lay_out(image, true, &vaddr);
    lay_out(image, false, &vaddr);
    move_all_symbols(image);
    for (Elf_Scn *section = elf_nextscn(image->elf, NULL);
         section != NULL && targets < TARGET_LIMIT;
         section = elf_nextscn(image->elf, section)) {
        if (gelf_getshdr(section, &header) == NULL ||
            !is_wanted(image, &header))
            continue;
        Elf_Data *data = bytes_of(section);
        if (data == NULL)
            continue;
        struct target target = {
            .section = elf_ndxscn(section),
            .bytes = data->d_buf,
            .count = data->d_size,
            .vaddr = header.sh_addr};
        apply(image, &target, &budget);
        targets++;
    }
}

void sym_relocate_inflated(
    const struct sym_image *image, Elf_Scn *section, void *bytes, size_t count)
{
    struct target target = {
        .section = elf_ndxscn(section), .bytes = bytes, .count = count};
    uint64_t budget = image->bytes_count;
    if (is_relocatable(image))
        apply(image, &target, &budget);
}
