/*
 * Finds a function in the vDSO, a small ELF image that the kernel maps into
 * every process (vdso(7)), without the loader's help.
 */
#include "profiler/agent/vdso.h"

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static bool text_equals(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

struct vdso_image {
    const char *base; /* what an ELF vaddr is added to */
    const Elf64_Sym *symbols;
    const char *strings;
    uint32_t symbol_count;
};

/* What the dynamic section points to, relative to the image. */
static void read_dynamic(struct vdso_image *image, const Elf64_Dyn *dynamic)
{
    for (; dynamic->d_tag != DT_NULL; dynamic++) {
        const char *target = image->base + dynamic->d_un.d_ptr;
        if (dynamic->d_tag == DT_SYMTAB)
            image->symbols = (const void *)target;
        else if (dynamic->d_tag == DT_STRTAB)
            image->strings = target;
        else if (dynamic->d_tag == DT_HASH)
            image->symbol_count = ((const uint32_t *)target)[1];
    }
}

void *prof_vdso_clock_gettime(const void *base)
{
    if (base == NULL)
        return NULL;
    const Elf64_Ehdr *header = base;
    const Elf64_Phdr *segments =
        (const void *)((const char *)base + header->e_phoff);
    struct vdso_image image = {0};
    const Elf64_Phdr *dynamic = NULL;

    for (int i = 0; i < header->e_phnum; i++) {
        if (segments[i].p_type == PT_LOAD && image.base == NULL) {
            image.base =
                (const char *)base + segments[i].p_offset - segments[i].p_vaddr;
        } else if (segments[i].p_type == PT_DYNAMIC) {
            dynamic = &segments[i];
        }
    }
    if (image.base == NULL || dynamic == NULL)
        return NULL;
    read_dynamic(&image, (const void *)(image.base + dynamic->p_vaddr));
    if (image.symbols == NULL || image.strings == NULL)
        return NULL;
    /* Without DT_HASH: the strings have always followed the symbols. */
    if (image.symbol_count == 0) {
        image.symbol_count =
            (uint32_t)((image.strings - (const char *)image.symbols) /
                       (long)sizeof *image.symbols);
    }

    for (uint32_t i = 0; i < image.symbol_count; i++) {
        const Elf64_Sym *symbol = &image.symbols[i];
        if (symbol->st_shndx != SHN_UNDEF &&
            text_equals(
                image.strings + symbol->st_name, "__vdso_clock_gettime"))
            return (void *)(uintptr_t)(image.base + symbol->st_value);
    }
    return NULL;
}
