/* ELF files, made byte by byte. */
#include "tests/symbolizer/elf_maker.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness.h"

void elf_put(struct elf_bytes *to, const void *bytes, size_t count)
{
    if (count == 0)
        return;
    if (to->room - to->count < count) {
        to->room = 2 * to->room + count;
        to->bytes = realloc(to->bytes, to->room);
        assert_non_null(to->bytes);
    }
    memcpy(to->bytes + to->count, bytes, count);
    to->count += count;
}

void elf_put_number(struct elf_bytes *to, uint64_t value, unsigned width)
{
    elf_put(to, &value, width); /* little-endian, as all we run on */
}

void elf_put_uleb(struct elf_bytes *to, uint64_t value)
{
    do {
        uint8_t byte = value & 0x7f;
        value >>= 7;
        byte |= value ? 0x80 : 0;
        elf_put(to, &byte, 1);
    } while (value != 0);
}

void elf_put_text(struct elf_bytes *to, const char *text)
{
    elf_put(to, text, strlen(text) + 1);
}

void elf_put_repeated(struct elf_bytes *to, uint8_t byte, size_t count)
{
    uint8_t *bytes = malloc(count + 1);
    assert_non_null(bytes);
    memset(bytes, byte, count);
    elf_put(to, bytes, count);
    free(bytes);
}

struct elf_section *elf_maker_add(struct elf_maker *maker, const char *name)
{
    struct elf_section *section = &maker->sections[++maker->count];
    CHECK(maker->count < sizeof maker->sections / sizeof *maker->sections);
    *section = (struct elf_section){.name = name, .type = SHT_PROGBITS};
    return section;
}

void elf_maker_init(struct elf_maker *maker)
{
    *maker = (struct elf_maker){0};
    struct elf_section *text = elf_maker_add(maker, ".text");
    text->type = SHT_NOBITS;
    text->flags = SHF_ALLOC | SHF_EXECINSTR;
    text->vaddr = ELF_MAKER_CODE;
}

void elf_maker_add_symbol(struct elf_maker *maker, const char *name)
{
    struct elf_section *strings = elf_maker_add(maker, ".strtab");
    strings->type = SHT_STRTAB;
    elf_put_text(&strings->content, "");
    elf_put_text(&strings->content, name);
    uint32_t link = maker->count;
    struct elf_section *symbols = elf_maker_add(maker, ".symtab");
    symbols->type = SHT_SYMTAB;
    symbols->link = link;
    symbols->entry_bytes = sizeof(Elf64_Sym);
    const Elf64_Sym rows[] = {
        {0},
        {.st_name = 1,
         .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
         .st_shndx = 1,
         .st_value = ELF_MAKER_CODE,
         .st_size = ELF_MAKER_CODE_BYTES}};
    elf_put(&symbols->content, rows, sizeof rows);
}

struct elf_bytes elf_maker_finish(struct elf_maker *maker)
{
    struct elf_section *names = elf_maker_add(maker, ".shstrtab");
    names->type = SHT_STRTAB;
    elf_put_text(&names->content, "");
    const Elf64_Phdr segment = {
        .p_type = PT_LOAD,
        .p_flags = PF_R | PF_X,
        .p_vaddr = ELF_MAKER_CODE,
        .p_memsz = ELF_MAKER_CODE_BYTES};
    Elf64_Ehdr head = {
        .e_ident =
            {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
             EV_CURRENT},
        .e_type = ET_EXEC,
        .e_machine = EM_X86_64,
        .e_version = EV_CURRENT,
        .e_ehsize = sizeof head,
        .e_phoff = sizeof head,
        .e_phentsize = sizeof segment,
        .e_phnum = 1,
        .e_shentsize = sizeof(Elf64_Shdr),
        .e_shnum = (Elf64_Half)(maker->count + 1),
        .e_shstrndx = (Elf64_Half)maker->count};
    struct elf_bytes file = {0};
    Elf64_Shdr rows[sizeof maker->sections / sizeof *maker->sections] = {0};
    elf_put(&file, &head, sizeof head);
    elf_put(&file, &segment, sizeof segment);
    for (unsigned i = 1; i <= maker->count; i++) {
        struct elf_section *section = &maker->sections[i];
        rows[i] = (Elf64_Shdr){
            .sh_name = (Elf64_Word)names->content.count,
            .sh_type = section->type,
            .sh_flags = section->flags,
            .sh_addr = section->vaddr,
            .sh_offset = file.count,
            .sh_size = section->type == SHT_NOBITS ? ELF_MAKER_CODE_BYTES
                                                   : section->content.count,
            .sh_link = section->link,
            .sh_addralign = 1,
            .sh_entsize = section->entry_bytes};
        elf_put_text(&names->content, section->name);
        if (section == names)
            rows[i].sh_size = names->content.count;
        elf_put(&file, section->content.bytes, section->content.count);
        elf_put_repeated(&file, 0, -file.count & 7);
        free(section->content.bytes);
    }
    head.e_shoff = file.count;
    memcpy(file.bytes, &head, sizeof head);
    elf_put(&file, rows, (maker->count + 1) * sizeof *rows);
    *maker = (struct elf_maker){0};
    return file;
}
