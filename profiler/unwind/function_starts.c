/* Where functions begin, by symbols; see the header. */
#include "profiler/unwind/function_starts.h"

#include <stdlib.h>

#include <gelf.h>

/* More than the largest programs have: a table is a file's own claim. */
#define SYMBOLS_MAX UINT64_C(4000000)

static int compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

static Elf_Scn *find_symbols(Elf *elf, GElf_Shdr *header)
{
    Elf_Scn *found = NULL;
    for (Elf_Scn *section = NULL;
         (section = elf_nextscn(elf, section)) != NULL;) {
        GElf_Shdr its;
        if (gelf_getshdr(section, &its) == NULL || its.sh_entsize == 0)
            continue;
        if (its.sh_type == SHT_SYMTAB ||
            (its.sh_type == SHT_DYNSYM && found == NULL)) {
            found = section;
            *header = its;
        }
    }
    return found;
}

void prof_function_starts_read(struct prof_function_starts *starts, Elf *elf)
{
    GElf_Shdr header;
    if (starts->is_read)
        return;
    starts->is_read = true;
    Elf_Scn *section = find_symbols(elf, &header);
    Elf_Data *data = section != NULL ? elf_getdata(section, NULL) : NULL;
    if (data == NULL)
        return;
    uint64_t count = header.sh_size / header.sh_entsize;
    count = count < SYMBOLS_MAX ? count : SYMBOLS_MAX;
    starts->addresses = malloc((count + 1) * sizeof *starts->addresses);
    if (starts->addresses == NULL)
        return;
    for (uint64_t i = 0; i < count; i++) {
        GElf_Sym symbol;
        if (gelf_getsym(data, (int)i, &symbol) != NULL &&
            symbol.st_shndx != SHN_UNDEF && symbol.st_value != 0 &&
            GELF_ST_TYPE(symbol.st_info) == STT_FUNC)
            starts->addresses[starts->count++] = symbol.st_value;
    }
    if (starts->count > 0)
        qsort(
            starts->addresses, starts->count, sizeof *starts->addresses,
            compare);
}

void prof_function_starts_fini(struct prof_function_starts *starts)
{
    free(starts->addresses);
    *starts = (struct prof_function_starts){.is_read = false};
}

uint64_t prof_function_starts_find(
    const struct prof_function_starts *starts, uint64_t address)
{
    uint32_t low = 0, high = starts->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (starts->addresses[middle] <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 ? starts->addresses[low - 1] : 0;
}
