/* One pass over the bytes of a unit. */
#include "symbolizer/scan.h"

#include <dwarf.h>

#include "symbolizer/abbrev.h"
#include "symbolizer/bytes.h"
#include "symbolizer/range_list.h"
#include "symbolizer/unit_header.h"
#include "symbolizer/unit_names.h"

/* Real trees have been seen 60 levels deep. */
enum { DEPTH_LIMIT = 256 };

struct scan {
    struct sym_tree *tree;
    const struct sym_unit_source *source;
    struct sym_unit_header header;
    struct sym_abbrevs abbrevs;
    struct sym_unit_names names;
    struct sym_bases bases;
    struct sym_bytes bytes; /* from the DIE at hand to the unit's end */
};

/* What the attributes of one DIE say. */
struct facts {
    struct sym_die_facts names;
    struct sym_value low_pc, high_pc, ranges;
    bool has_low_pc, has_high_pc, has_ranges;
    uint64_t call_file, call_line, call_column;
    /* of the root */
    uint64_t language, address_table, range_table, string_table;
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
    case DW_AT_language:
        facts->language = value.number;
        break;
    case DW_AT_str_offsets_base:
        facts->string_table = value.number;
        break;
    default:
        (void)sym_die_facts_take(&facts->names, name, value);
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

/* The node around the children of this DIE; false when it is damaged. */
static bool add_node(
    struct scan *scan, const struct sym_abbrev *abbrev, const uint8_t *die,
    uint32_t parent, uint32_t *inner)
{
    struct facts facts = {0};
    *inner = SYM_NO_NODE;
    read_facts(scan, abbrev, &facts);
    if (scan->bytes.is_bad || !add_ranges(scan, &facts))
        return false;
    if (!sym_tree_wants(scan->tree, parent))
        return true;
    struct sym_node node = {
        .name = sym_unit_name(&scan->names, die, &facts.names),
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
        if (depth + 1 == DEPTH_LIMIT) {
            sym_tree_fail(scan->tree, STATUS_LIMIT, "nested too deeply");
            return true;
        }
        scopes[++depth] = inner;
    }
    return true;
}

/* What the unit's offsets count from; a split unit's are known before. */
static bool take_bases(struct scan *scan, const struct facts *root)
{
    if (scan->source->is_split)
        return true;
    scan->bases.address_table = root->address_table;
    scan->bases.range_table = root->range_table;
    scan->names.string_table = root->string_table;
    return !root->has_low_pc ||
           sym_address_read(&scan->bases, root->low_pc, &scan->bases.low_pc);
}

static bool scan_root(struct scan *scan, uint64_t *language)
{
    const struct sym_abbrev *abbrev =
        sym_abbrevs_find(&scan->abbrevs, sym_bytes_uleb(&scan->bytes));
    struct facts facts = {0};
    if (abbrev == NULL)
        return false;
    read_facts(scan, abbrev, &facts);
    *language = facts.language;
    return take_bases(scan, &facts) && !scan->bytes.is_bad &&
           (!abbrev->has_children || scan_children(scan));
}

bool sym_scan_unit(
    struct sym_tree *tree, struct sym_die_names *names,
    const struct sym_unit_source *source, uint64_t *language)
{
    *language = 0;
    struct scan scan = {.tree = tree, .source = source, .bases = source->bases};
    struct sym_bytes info =
        sym_bytes_of(source->info.start, source->info.count, source->offset);
    if (!sym_unit_header_read(&scan.header, &info))
        return false;
    scan.bases.encoding = scan.header.encoding;
    scan.bytes = scan.header.dies;
    scan.names = (struct sym_unit_names){
        .names = names,
        .source = source,
        .header = &scan.header,
        .abbrevs = &scan.abbrevs,
        .string_table = source->string_table};
    struct sym_bytes table = sym_bytes_of(
        source->abbrev.start, source->abbrev.count, scan.header.abbrev_offset);
    bool is_understood =
        sym_abbrevs_read(
            &scan.abbrevs, table, &scan.bases.encoding, source->budget) &&
        scan_root(&scan, language);
    if (scan.abbrevs.is_excessive)
        sym_tree_fail(tree, STATUS_LIMIT, SYM_BUDGET_COMPLAINT);
    sym_abbrevs_fini(&scan.abbrevs);
    /* No other way would be a better one than out of these. */
    return is_understood || tree->status == STATUS_NO_MEMORY ||
           tree->status == STATUS_LIMIT;
}
