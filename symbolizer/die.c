/* Names of functions, by their debugging information entries. */
#include "symbolizer/die.h"

#include <string.h>

#include <dwarf.h>

#include "symbolizer/budget.h"

/* Real chains have three steps: inlined call, origin, declaration. Damaged
   ones may be circles. */
enum { ORIGIN_STEPS = 16 };

struct entry {
    const void *address; /* of the DIE's bytes */
    uint32_t name;
};

void sym_die_names_init(
    struct sym_die_names *names, struct sym_strings *strings)
{
    *names = (struct sym_die_names){
        .strings = strings, .entries.row_bytes = sizeof(struct entry)};
}

void sym_die_names_fini(struct sym_die_names *names)
{
    table_fini(&names->entries);
    index_fini(&names->index);
}

static const char *text_attribute(Dwarf_Die *die, unsigned name)
{
    Dwarf_Attribute attribute;
    if (dwarf_attr(die, name, &attribute) == NULL)
        return NULL;
    const char *text = dwarf_formstring(&attribute);
    return text != NULL && text[0] != '\0' &&
                   strnlen(text, SYM_TEXT_LIMIT_BYTES) < SYM_TEXT_LIMIT_BYTES
               ? text
               : NULL;
}

static const char *linkage_name(Dwarf_Die *die)
{
    const char *name = text_attribute(die, DW_AT_linkage_name);
    return name ? name : text_attribute(die, DW_AT_MIPS_linkage_name);
}

/* Replace a DIE by the one it was made from. */
static bool step_to_origin(Dwarf_Die *die)
{
    Dwarf_Attribute attribute;
    Dwarf_Die origin;
    if (dwarf_attr(die, DW_AT_abstract_origin, &attribute) == NULL &&
        dwarf_attr(die, DW_AT_specification, &attribute) == NULL)
        return false;
    if (dwarf_formref_die(&attribute, &origin) == NULL)
        return false;
    *die = origin;
    return true;
}

/* The best name along the chain of origins, "" when there is none. */
static const char *chain_name(Dwarf_Die die)
{
    const char *plain = NULL;
    for (int step = 0; step < ORIGIN_STEPS; step++) {
        const char *name = linkage_name(&die);
        if (name != NULL)
            return name;
        if (plain == NULL)
            plain = text_attribute(&die, DW_AT_name);
        if (!step_to_origin(&die))
            break;
    }
    return plain ? plain : "";
}

static bool entry_equal(const void *owner, uint32_t id, const void *key)
{
    const struct sym_die_names *names = owner;
    const struct entry *entry = table_row(&names->entries, id);
    return entry->address == key;
}

uint32_t sym_die_names_find(
    const struct sym_die_names *names, const void *address)
{
    uint32_t id = index_find(
        &names->index, hash_u64((uintptr_t)address), entry_equal, names,
        address);
    if (id == TABLE_NONE)
        return SYM_NO_STRING;
    return ((struct entry *)table_row(&names->entries, id))->name;
}

bool sym_die_names_keep(
    struct sym_die_names *names, const void *address, uint32_t name)
{
    struct entry entry = {.address = address, .name = name};
    uint32_t id = table_add(&names->entries, &entry);
    return id != TABLE_NONE &&
           index_add(&names->index, hash_u64((uintptr_t)address), id);
}

/* The name of a DIE that many others refer to. */
static uint32_t shared_name(struct sym_die_names *names, Dwarf_Die *die)
{
    uint32_t name = sym_die_names_find(names, die->addr);
    if (name != SYM_NO_STRING)
        return name;
    const char *text = chain_name(*die);
    name = sym_strings_add(names->strings, text, strlen(text));
    if (name == SYM_NO_STRING || !sym_die_names_keep(names, die->addr, name))
        return SYM_NO_STRING;
    return name;
}

uint32_t sym_die_name_at(
    struct sym_die_names *names, Dwarf *dwarf, const void *address)
{
    uint32_t name = sym_die_names_find(names, address);
    Dwarf_Die die;
    if (name != SYM_NO_STRING)
        return name;
    if (dwarf_die_addr_die(dwarf, (void *)(uintptr_t)address, &die) == NULL)
        return 0;
    return shared_name(names, &die);
}

uint32_t sym_die_name(struct sym_die_names *names, Dwarf_Die *die)
{
    Dwarf_Die origin = *die;
    if (linkage_name(die) == NULL && step_to_origin(&origin)) {
        uint32_t name = shared_name(names, &origin);
        if (name != 0)
            return name;
    }
    const char *text = chain_name(*die);
    return sym_strings_add(names->strings, text, strlen(text));
}

uint64_t sym_die_number(Dwarf_Die *die, unsigned name)
{
    Dwarf_Attribute attribute;
    Dwarf_Word value;
    if (dwarf_attr(die, name, &attribute) == NULL ||
        dwarf_formudata(&attribute, &value) != 0)
        return 0;
    return value;
}
