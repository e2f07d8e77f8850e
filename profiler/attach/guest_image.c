/* The guest's image; see the header. */
#include "profiler/attach/guest_image.h"

#include <string.h>

#define PAGE_BYTES UINT64_C(4096)

__asm__(".section .rodata\n"
        ".balign 16\n"
        ".hidden prof_guest_image_begin\n"
        ".globl prof_guest_image_begin\n"
        "prof_guest_image_begin:\n"
        ".incbin \"" GUEST_IMAGE "\"\n"
        ".hidden prof_guest_image_end\n"
        ".globl prof_guest_image_end\n"
        "prof_guest_image_end:\n"
        ".byte 0\n"
        ".text\n");

__attribute__((
    visibility("hidden"))) extern const uint8_t prof_guest_image_begin[],
    prof_guest_image_end[];

static const Elf64_Shdr *find_section(const Elf64_Ehdr *header, uint32_t type)
{
    const Elf64_Shdr *sections =
        (const void *)(prof_guest_image_begin + header->e_shoff);
    for (unsigned i = 0; i < header->e_shnum; i++) {
        if (sections[i].sh_type == type)
            return &sections[i];
    }
    return NULL;
}

static uint64_t find_symbol(const Elf64_Ehdr *header, const char *name)
{
    const Elf64_Shdr *table = find_section(header, SHT_DYNSYM);
    if (table == NULL)
        return 0;
    const Elf64_Shdr *names =
        (const Elf64_Shdr *)(const void
                                 *)(prof_guest_image_begin + header->e_shoff) +
        table->sh_link;
    const Elf64_Sym *symbols =
        (const void *)(prof_guest_image_begin + table->sh_offset);
    for (uint64_t i = 0; i < table->sh_size / sizeof *symbols; i++) {
        const char *at = (const char *)prof_guest_image_begin +
                         names->sh_offset + symbols[i].st_name;
        if (strcmp(at, name) == 0)
            return symbols[i].st_value;
    }
    return 0;
}

bool prof_guest_image_open(struct prof_guest_image *image)
{
    const Elf64_Ehdr *header = (const void *)prof_guest_image_begin;
    *image = (struct prof_guest_image){.bytes = prof_guest_image_begin};
    if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
        return false;
    const Elf64_Phdr *segments =
        (const void *)(prof_guest_image_begin + header->e_phoff);
    for (unsigned i = 0; i < header->e_phnum; i++) {
        const Elf64_Phdr *segment = &segments[i];
        if (segment->p_type != PT_LOAD)
            continue;
        if (image->segment_count == PROF_GUEST_SEGMENTS_MAX)
            return false;
        image->segments[image->segment_count++] = *segment;
        image->span_bytes =
            (segment->p_vaddr + segment->p_memsz + PAGE_BYTES - 1) &
            ~(PAGE_BYTES - 1);
    }
    image->land = find_symbol(header, "prof_guest_land");
    return image->land != 0;
}
