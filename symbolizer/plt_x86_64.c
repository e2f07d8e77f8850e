/*
 * Stubs of the procedure linkage table on x86-64.
 *
 * Their layout depends on linker, security features and laziness, but all of
 * them jump through a slot of the global offset table:
 *
 *     [endbr64] [bnd] jmp *slot(%rip)      ff 25 disp32
 *
 * and a relocation tells which symbol the loader puts into that slot. So the
 * stubs are read, and the layout does not matter.
 */
#include "symbolizer/plt.h"

#include <stdlib.h>
#include <string.h>

enum { STUB_BYTES = 16, SHORT_STUB_BYTES = 8, JUMP_BYTES = 6 };

struct slot {
    uint64_t vaddr;
    const char *name;
};

static int by_vaddr(const void *left, const void *right)
{
    const struct slot *a = left, *b = right;
    return (a->vaddr > b->vaddr) - (a->vaddr < b->vaddr);
}

/* ---- which slot holds what ---- */

static const char *symbol_name(
    Elf *elf, Elf_Data *symbols, size_t strings, size_t index)
{
    GElf_Sym symbol;
    if (symbols == NULL || index == 0 || index > INT32_MAX ||
        gelf_getsym(symbols, (int)index, &symbol) == NULL)
        return NULL;
    const char *name = elf_strptr(elf, strings, symbol.st_name);
    return name != NULL && name[0] != '\0' ? name : NULL;
}

static bool add_slots(
    struct table *slots, Elf *elf, Elf_Scn *section, const GElf_Shdr *header)
{
    Elf_Data *rows = elf_getdata(section, NULL);
    Elf_Scn *symbol_section = elf_getscn(elf, header->sh_link);
    GElf_Shdr symbol_header;
    if (rows == NULL || symbol_section == NULL ||
        gelf_getshdr(symbol_section, &symbol_header) == NULL)
        return true;
    Elf_Data *symbols = elf_getdata(symbol_section, NULL);

    GElf_Rela row;
    for (int i = 0; gelf_getrela(rows, i, &row) != NULL; i++) {
        uint64_t type = GELF_R_TYPE(row.r_info);
        if (type != R_X86_64_JUMP_SLOT && type != R_X86_64_GLOB_DAT)
            continue;
        struct slot slot = {
            .vaddr = row.r_offset,
            .name = symbol_name(
                elf, symbols, symbol_header.sh_link, GELF_R_SYM(row.r_info))};
        if (slot.name != NULL && table_add(slots, &slot) == TABLE_NONE)
            return false;
    }
    return true;
}

static bool collect_slots(struct table *slots, Elf *elf)
{
    for (Elf_Scn *section = elf_nextscn(elf, NULL); section != NULL;
         section = elf_nextscn(elf, section)) {
        GElf_Shdr header;
        if (gelf_getshdr(section, &header) != NULL &&
            header.sh_type == SHT_RELA && (header.sh_flags & SHF_ALLOC) != 0 &&
            !add_slots(slots, elf, section, &header))
            return false;
    }
    if (slots->count > 1)
        qsort(slots->rows, slots->count, sizeof(struct slot), by_vaddr);
    return true;
}

static const char *name_in_slot(const struct table *slots, uint64_t vaddr)
{
    struct slot key = {.vaddr = vaddr};
    const struct slot *found =
        slots->count
            ? bsearch(&key, slots->rows, slots->count, sizeof key, by_vaddr)
            : NULL;
    return found ? found->name : NULL;
}

/* ---- the stubs ---- */

/* The slot a stub jumps through; false when it is no such stub. */
static bool stub_slot(
    const uint8_t *stub, size_t bytes, uint64_t vaddr, uint64_t *slot)
{
    for (size_t at = 0; at + JUMP_BYTES <= bytes; at++) {
        if (stub[at] != 0xff || stub[at + 1] != 0x25)
            continue;
        int32_t displacement;
        memcpy(&displacement, stub + at + 2, sizeof displacement);
        *slot = vaddr + at + JUMP_BYTES + (uint64_t)(int64_t)displacement;
        return true;
    }
    return false;
}

static bool add_stubs(
    struct sym_names *names, const struct table *slots,
    const struct sym_image *image, const char *section_name, size_t stub_bytes)
{
    GElf_Shdr header;
    Elf_Scn *section = sym_image_section(image, section_name, &header);
    Elf_Data *data = section ? elf_rawdata(section, NULL) : NULL;
    if (data == NULL || data->d_buf == NULL)
        return true;
    for (size_t at = 0; at + stub_bytes <= data->d_size; at += stub_bytes) {
        const uint8_t *stub = (const uint8_t *)data->d_buf + at;
        uint64_t vaddr = header.sh_addr + at, slot;
        if (!stub_slot(stub, stub_bytes, vaddr, &slot))
            continue;
        struct sym_symbol symbol = {
            .vaddr = vaddr,
            .size = stub_bytes,
            .limit = vaddr + stub_bytes,
            .name = name_in_slot(slots, slot),
            .type = STT_FUNC,
            .is_stub = true};
        if (symbol.name != NULL && !sym_names_add(names, &symbol))
            return false;
    }
    return true;
}

bool sym_names_add_plt(struct sym_names *names, const struct sym_image *image)
{
    GElf_Ehdr header;
    if (gelf_getehdr(image->elf, &header) == NULL ||
        header.e_machine != EM_X86_64)
        return true;
    struct table slots = {.row_bytes = sizeof(struct slot)};
    /* .plt.got has stubs of half the size unless they begin with endbr64. */
    GElf_Shdr got_header;
    Elf_Scn *got = sym_image_section(image, ".plt.got", &got_header);
    size_t got_bytes = got != NULL && got_header.sh_entsize == SHORT_STUB_BYTES
                           ? SHORT_STUB_BYTES
                           : STUB_BYTES;
    bool is_ok = collect_slots(&slots, image->elf) &&
                 add_stubs(names, &slots, image, ".plt", STUB_BYTES) &&
                 add_stubs(names, &slots, image, ".plt.sec", STUB_BYTES) &&
                 add_stubs(names, &slots, image, ".plt.got", got_bytes);
    table_fini(&slots);
    return is_ok;
}
