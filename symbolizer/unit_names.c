/* Names of functions, from the bytes of their unit. */
#include "symbolizer/unit_names.h"

#include <string.h>

#include <dwarf.h>

/* Real chains have three steps: inlined call, origin, declaration. Damaged
   ones may be circles. */
enum { ORIGIN_STEPS = 16 };

bool sym_die_facts_take(
    struct sym_die_facts *facts, uint16_t name, struct sym_value value)
{
    switch (name) {
    case DW_AT_name:
        facts->name = value;
        facts->has_name = true;
        return true;
    case DW_AT_linkage_name:
    case DW_AT_MIPS_linkage_name:
        facts->linkage_name = value;
        facts->has_linkage_name = true;
        return true;
    case DW_AT_abstract_origin: /* goes before a specification */
        facts->origin = value;
        facts->has_origin = true;
        return true;
    case DW_AT_specification:
        if (!facts->has_origin)
            facts->origin = value;
        facts->has_origin = true;
        return true;
    default:
        return false;
    }
}

/* ---- text ---- */

static const char *text_at(
    const struct sym_section_bytes *section, uint64_t offset)
{
    return sym_bytes_short_text(
        sym_bytes_of(section->start, section->count, offset));
}

static const char *indexed_text(
    const struct sym_unit_names *unit, uint64_t index)
{
    const struct sym_unit_source *source = unit->source;
    unsigned width = unit->header->encoding.offset_bytes;
    if (index > source->str_offsets.count)
        return ""; /* and the product below cannot overflow */
    struct sym_bytes bytes = sym_bytes_of(
        source->str_offsets.start, source->str_offsets.count,
        unit->string_table + index * width);
    uint64_t offset = sym_bytes_fixed(&bytes, width);
    return bytes.is_bad ? "" : text_at(&source->str, offset);
}

/* NULL: in a file that only libdw knows. */
static const char *text_of(
    const struct sym_unit_names *unit, struct sym_value value)
{
    switch (value.kind) {
    case SYM_VALUE_TEXT:
        return value.text;
    case SYM_VALUE_STR:
        return text_at(&unit->source->str, value.number);
    case SYM_VALUE_LINE_STR:
        return text_at(&unit->source->line_str, value.number);
    case SYM_VALUE_STR_INDEX:
        return indexed_text(unit, value.number);
    default:
        return NULL;
    }
}

static uint32_t intern(const struct sym_unit_names *unit, const char *text)
{
    size_t bytes = strnlen(text, SYM_TEXT_LIMIT_BYTES);
    if (bytes == SYM_TEXT_LIMIT_BYTES ||
        !sym_budget_spend(unit->source->budget, bytes))
        return 0;
    return sym_strings_add(unit->names->strings, text, bytes);
}

static uint32_t name_by_libdw(
    const struct sym_unit_names *unit, const uint8_t *die)
{
    Dwarf_Die found;
    Dwarf *dwarf = unit->source->dwarf;
    if (dwarf == NULL ||
        dwarf_die_addr_die(dwarf, (void *)(uintptr_t)die, &found) == NULL)
        return 0;
    return sym_die_name(unit->names, &found);
}

/* ---- chains of origins ---- */

static struct sym_die_facts read_facts(
    const struct sym_unit_names *unit, const uint8_t *die)
{
    struct sym_die_facts facts = {0};
    struct sym_bytes bytes = {.at = die, .end = unit->header->dies.end};
    const struct sym_abbrev *abbrev =
        sym_abbrevs_find(unit->abbrevs, sym_bytes_uleb(&bytes));
    if (abbrev == NULL)
        return facts;
    const struct sym_attribute *attributes =
        sym_abbrevs_attributes(unit->abbrevs, abbrev);
    for (uint32_t i = 0; i < abbrev->attribute_count && !bytes.is_bad; i++) {
        struct sym_value value = sym_attribute_read(&bytes, &attributes[i]);
        (void)sym_die_facts_take(&facts, attributes[i].name, value);
    }
    if (!sym_budget_spend(unit->source->budget, (uint64_t)(bytes.at - die)))
        bytes.is_bad = true;
    return bytes.is_bad ? (struct sym_die_facts){0} : facts;
}

/* The bytes of the origin, NULL when it is not in this unit. */
static const uint8_t *origin_in_unit(
    const struct sym_unit_names *unit, const struct sym_die_facts *facts)
{
    const struct sym_unit_header *header = unit->header;
    const uint8_t *info = unit->source->info.start;
    uint64_t offset = facts->origin.number;
    if (facts->origin.kind == SYM_VALUE_INFO_REF) {
        uint64_t start = (uint64_t)(header->start - info);
        if (offset < start)
            return NULL;
        offset -= start;
    } else if (facts->origin.kind != SYM_VALUE_UNIT_REF) {
        return NULL;
    }
    uint64_t first = (uint64_t)(header->dies.at - header->start);
    return offset >= first &&
                   offset < (uint64_t)(header->dies.end - header->start)
               ? header->start + offset
               : NULL;
}

static uint32_t chain_name(
    const struct sym_unit_names *unit, const uint8_t *die,
    struct sym_die_facts facts)
{
    const char *plain = NULL;
    for (int step = 0; step < ORIGIN_STEPS; step++) {
        const char *text = NULL;
        if (facts.has_linkage_name)
            text = text_of(unit, facts.linkage_name);
        if (text != NULL && text[0] != '\0')
            return intern(unit, text);
        if (facts.has_name && plain == NULL)
            plain = text_of(unit, facts.name);
        const uint8_t *origin =
            facts.has_origin ? origin_in_unit(unit, &facts) : NULL;
        bool is_foreign = facts.has_origin || facts.has_linkage_name ||
                          (facts.has_name && plain == NULL);
        if (origin == NULL && is_foreign) {
            uint32_t name = name_by_libdw(unit, die);
            if (name != 0)
                return name;
        }
        if (origin == NULL)
            break;
        die = origin;
        facts = read_facts(unit, die);
    }
    return plain != NULL ? intern(unit, plain) : 0;
}

/* Thousands of inlined calls share one origin: its name is found once. */
static uint32_t shared_name(
    const struct sym_unit_names *unit, const uint8_t *die)
{
    uint32_t name = sym_die_names_find(unit->names, die);
    if (name != SYM_NO_STRING)
        return name;
    name = chain_name(unit, die, read_facts(unit, die));
    if (name != SYM_NO_STRING && !sym_die_names_keep(unit->names, die, name))
        return SYM_NO_STRING;
    return name;
}

uint32_t sym_unit_name(
    const struct sym_unit_names *unit, const uint8_t *die,
    const struct sym_die_facts *facts)
{
    const uint8_t *origin = facts->has_origin && !facts->has_linkage_name
                                ? origin_in_unit(unit, facts)
                                : NULL;
    uint32_t name = origin != NULL ? shared_name(unit, origin) : 0;
    return name != 0 ? name : chain_name(unit, die, *facts);
}
