/* One pass over the bytes of a unit. */
#include "symbolizer/scan.h"

#include <string.h>

#include <dwarf.h>

#include "symbolizer/abbrev.h"
#include "symbolizer/bytes.h"
#include "symbolizer/range_list.h"

/* Real trees have been seen 60 levels deep. */
enum { DEPTH_LIMIT = 256 };

struct scan {
    struct sym_tree *tree;
    struct sym_unit_context *context;
    Dwarf_Die *root;
    struct sym_abbrevs abbrevs;
    struct sym_bases bases;
    const uint8_t *info, *unit; /* the section, the unit's header in it */
    struct sym_bytes bytes;     /* from the DIE at hand to the unit's end */
};

/* What the attributes of one DIE say. */
struct facts {
    const uint8_t *die;
    struct sym_value low_pc, high_pc, ranges, origin;
    bool has_low_pc, has_high_pc, has_ranges, has_origin, has_linkage_name;
    uint64_t call_file, call_line, call_column;
    uint64_t address_table, range_table; /* of the root */
};

/* ---- attributes ---- */

static void take(struct facts *facts, uint16_t name, struct sym_value value)
{
    switch (name) {
    case DW_AT_low_pc:
        facts->low_pc = value;
        facts->has_low_pc = true;
        break;
    case DW_AT_high_pc:
        facts->high_pc = value;
        facts->has_high_pc = true;
        break;
    case DW_AT_ranges:
        facts->ranges = value;
        facts->has_ranges = true;
        break;
    case DW_AT_abstract_origin: /* goes before a specification */
        facts->origin = value;
        facts->has_origin = true;
        break;
    case DW_AT_specification:
        if (!facts->has_origin)
            facts->origin = value;
        facts->has_origin = true;
        break;
    case DW_AT_linkage_name:
    case DW_AT_MIPS_linkage_name:
        facts->has_linkage_name = true;
        break;
    case DW_AT_call_file:
        facts->call_file = value.number;
        break;
    case DW_AT_call_line:
        facts->call_line = value.number;
        break;
    case DW_AT_call_column:
        facts->call_column = value.number;
        break;
    case DW_AT_addr_base:
        facts->address_table = value.number;
        break;
    case DW_AT_rnglists_base:
        facts->range_table = value.number;
        break;
    default:
        break;
    }
}

static void read_facts(
    struct scan *scan, const struct sym_abbrev *abbrev, struct facts *facts)
{
    const struct sym_attribute *attributes =
        sym_abbrevs_attributes(&scan->abbrevs, abbrev);
    for (uint32_t i = 0; i < abbrev->attribute_count; i++) {
        struct sym_value value =
            sym_attribute_read(&scan->bytes, &attributes[i]);
        take(facts, attributes[i].name, value);
    }
}

static void skip(struct scan *scan, const struct sym_abbrev *abbrev)
{
    if (abbrev->fixed_bytes != SYM_VARIABLE_SIZE) {
        sym_bytes_skip(&scan->bytes, abbrev->fixed_bytes);
        return;
    }
    struct facts unused = {0};
    read_facts(scan, abbrev, &unused);
}

/* ---- functions and inlined calls ---- */

/* False when the ranges are damaged. */
static bool add_ranges(struct scan *scan, const struct facts *facts)
{
    uint64_t low, high;
    sym_tree_begin(scan->tree);
    if (facts->has_ranges)
        return sym_range_list_read(&scan->bases, facts->ranges, scan->tree);
    if (!facts->has_low_pc || !facts->has_high_pc)
        return true;
    if (!sym_address_read(&scan->bases, facts->low_pc, &low))
        return false;
    if (facts->high_pc.kind == SYM_VALUE_NUMBER) /* since DWARF 4 a size */
        high = low + facts->high_pc.number;
    else if (!sym_address_read(&scan->bases, facts->high_pc, &high))
        return false;
    (void)sym_tree_add_range(scan->tree, low, high);
    return true;
}

/* The bytes of the DIE this one was made from, if it is in this section. */
static const void *origin_of(const struct scan *scan, const struct facts *facts)
{
    if (!facts->has_origin || facts->has_linkage_name)
        return NULL;
    if (facts->origin.kind == SYM_VALUE_UNIT_REF &&
        facts->origin.number < (size_t)(scan->bytes.end - scan->unit))
        return scan->unit + facts->origin.number;
    if (facts->origin.kind == SYM_VALUE_INFO_REF &&
        facts->origin.number < scan->context->info_bytes)
        return scan->info + facts->origin.number;
    return NULL;
}

static uint32_t name_of(struct scan *scan, const struct facts *facts)
{
    struct sym_die_names *names = &scan->context->names;
    const void *origin = origin_of(scan, facts);
    uint32_t name = 0;
    if (origin != NULL)
        name = sym_die_name_at(names, scan->context->dwarf, origin);
    if (name != 0)
        return name;
    /* The DIE itself, and references that only libdw can follow. */
    Dwarf_Die die;
    if (dwarf_die_addr_die(
            scan->context->dwarf, (void *)(uintptr_t)facts->die, &die) == NULL)
        return 0;
    return sym_die_name(names, &die);
}

/* The node around the children of this DIE; false when it is damaged. */
static bool add_node(
    struct scan *scan, const struct sym_abbrev *abbrev, const uint8_t *die,
    uint32_t parent, uint32_t *inner)
{
    struct facts facts = {.die = die};
    *inner = SYM_NO_NODE;
    read_facts(scan, abbrev, &facts);
    if (scan->bytes.is_bad || !add_ranges(scan, &facts))
        return false;
    if (!sym_tree_wants(scan->tree, parent))
        return true;
    struct sym_node node = {
        .name = name_of(scan, &facts),
        .parent = parent,
        .call_file = facts.call_file,
        .call_line = (uint32_t)facts.call_line,
        .call_column = (uint32_t)facts.call_column};
    *inner = sym_tree_add(scan->tree, node);
    return true;
}

/* ---- the pass ---- */

/* Take in the DIE whose abbreviation was just read. */
static bool visit(
    struct scan *scan, const struct sym_abbrev *abbrev, const uint8_t *die,
    uint32_t scope, uint32_t *inner)
{
    *inner = scope;
    if (abbrev->tag == DW_TAG_inlined_subroutine && scope != SYM_NO_NODE)
        return add_node(scan, abbrev, die, scope, inner);
    if (abbrev->tag == DW_TAG_subprogram) {
        *inner = SYM_NO_NODE;
        if (abbrev->has_code)
            return add_node(scan, abbrev, die, SYM_NO_NODE, inner);
    }
    skip(scan, abbrev);
    return true;
}

/* Everything below the root, whose attributes have been read. */
static bool scan_children(struct scan *scan)
{
    uint32_t scopes[DEPTH_LIMIT] = {SYM_NO_NODE};
    unsigned depth = 0;
    while (scan->tree->status == STATUS_OK) {
        const uint8_t *die = scan->bytes.at;
        if (die == scan->bytes.end)
            return true; /* some producers leave the last zeros away */
        uint64_t code = sym_bytes_uleb(&scan->bytes);
        if (code == 0) {
            if (depth == 0)
                return true;
            depth--;
            continue;
        }
        const struct sym_abbrev *abbrev =
            sym_abbrevs_find(&scan->abbrevs, code);
        uint32_t inner;
        if (abbrev == NULL ||
            !visit(scan, abbrev, die, scopes[depth], &inner) ||
            scan->bytes.is_bad)
            return false;
        if (!abbrev->has_children)
            continue;
        if (depth + 1 == DEPTH_LIMIT)
            return false;
        scopes[++depth] = inner;
    }
    return true;
}

static bool scan_root(struct scan *scan)
{
    const struct sym_abbrev *abbrev =
        sym_abbrevs_find(&scan->abbrevs, sym_bytes_uleb(&scan->bytes));
    struct facts facts = {0};
    if (abbrev == NULL)
        return false;
    read_facts(scan, abbrev, &facts);
    scan->bases.address_table = facts.address_table;
    scan->bases.range_table = facts.range_table;
    if (facts.has_low_pc &&
        !sym_address_read(&scan->bases, facts.low_pc, &scan->bases.low_pc))
        return false;
    return !scan->bytes.is_bad &&
           (!abbrev->has_children || scan_children(scan));
}

/* Find the unit's bytes and how they are encoded. */
static bool locate(struct scan *scan, Dwarf_Off *abbrev_offset)
{
    const struct sym_unit_context *context = scan->context;
    Dwarf_Die die;
    Dwarf_Half version;
    uint8_t address_bytes, offset_bytes;
    if (dwarf_cu_die(
            scan->root->cu, &die, &version, abbrev_offset, &address_bytes,
            &offset_bytes, NULL, NULL) == NULL ||
        (address_bytes != 8 && address_bytes != 4))
        return false;
    scan->bases = (struct sym_bases){
        .encoding =
            {.version = version,
             .address_bytes = address_bytes,
             .offset_bytes = offset_bytes},
        .addr = context->addr,
        .ranges = context->ranges,
        .rnglists = context->rnglists};

    Dwarf_Off offset = dwarf_dieoffset(scan->root);
    const uint8_t *first = scan->root->addr;
    scan->info = first - offset;
    scan->unit = first - dwarf_cuoffset(scan->root);
    struct sym_bytes header = sym_bytes_of(
        scan->info, context->info_bytes, (uint64_t)(scan->unit - scan->info));
    uint64_t length = sym_bytes_fixed(&header, 4);
    if (offset_bytes == 8)
        length = sym_bytes_fixed(&header, 8);
    struct sym_bytes unit = sym_bytes_take(&header, length);
    scan->bytes = (struct sym_bytes){.at = first, .end = unit.end};
    return !header.is_bad && first < unit.end;
}

bool sym_scan_unit(
    struct sym_tree *tree, struct sym_unit_context *context, Dwarf_Die *root)
{
    struct scan scan = {.tree = tree, .context = context, .root = root};
    Dwarf_Off abbrev_offset;
    if (context->info_bytes == 0 || !locate(&scan, &abbrev_offset))
        return false;
    struct sym_bytes table = sym_bytes_of(
        context->abbrev.start, context->abbrev.count, abbrev_offset);
    bool is_understood =
        sym_abbrevs_read(&scan.abbrevs, table, &scan.bases.encoding) &&
        scan_root(&scan);
    sym_abbrevs_fini(&scan.abbrevs);
    return is_understood || tree->status == STATUS_NO_MEMORY;
}
