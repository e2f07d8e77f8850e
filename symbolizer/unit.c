/* One compilation unit: the walk over its DIEs. */
#include "symbolizer/unit.h"

#include <stdlib.h>

#include <dwarf.h>

#include "symbolizer/spans.h"

/* Real trees have been seen 60 levels deep. */
enum { DEPTH_LIMIT = 256 };

/* Ranges of one unit, far beyond what compilers write, for damaged ones can
   share one long list among all their DIEs. */
enum { SPAN_LIMIT = 1 << 23 };

struct range {
    uint64_t start, end;
};

struct walk {
    struct sym_unit *unit;
    struct sym_unit_context *context;
    struct table ranges; /* of the DIE at hand */
    uint64_t first_start;
    uint64_t range_count; /* of the whole unit */
    enum status status;
    const char *complaint;
};

/* Remember the first failure; running out of memory outweighs the others. */
static void give_up(
    struct walk *walk, enum status status, const char *complaint)
{
    if (walk->status == STATUS_OK || status == STATUS_NO_MEMORY) {
        walk->status = status;
        walk->complaint = complaint;
    }
}

/* ---- address ranges ---- */

static int by_start(const void *left, const void *right)
{
    const struct range *a = left, *b = right;
    return (a->start > b->start) - (a->start < b->start);
}

/* Sort the ranges at hand and join those that touch. */
static void normalize(struct table *ranges)
{
    if (ranges->count < 2)
        return;
    struct range *rows = ranges->rows;
    qsort(rows, ranges->count, sizeof *rows, by_start);
    uint32_t last = 0;
    for (uint32_t i = 1; i < ranges->count; i++) {
        if (rows[i].start > rows[last].end)
            rows[++last] = rows[i];
        else if (rows[i].end > rows[last].end)
            rows[last].end = rows[i].end;
    }
    ranges->count = last + 1;
}

/* Fill walk->ranges. False when the DIE has none, dead ones not counted. */
static bool read_ranges(struct walk *walk, Dwarf_Die *die)
{
    bool has_ranges = false;
    Dwarf_Addr base, start, end;
    ptrdiff_t offset = 0;
    walk->ranges.count = 0;
    while ((offset = dwarf_ranges(die, offset, &base, &start, &end)) > 0) {
        has_ranges = true;
        if (++walk->range_count > SPAN_LIMIT) {
            give_up(walk, STATUS_LIMIT, "too many address ranges");
            break;
        }
        if (start >= end || !sym_image_is_code(walk->context->image, start))
            continue;
        if (walk->ranges.count == 0)
            walk->first_start = start;
        struct range range = {.start = start, .end = end};
        if (table_add(&walk->ranges, &range) == TABLE_NONE)
            give_up(walk, STATUS_NO_MEMORY, "no memory for address ranges");
    }
    if (offset < 0)
        give_up(walk, STATUS_MALFORMED, "damaged address ranges");
    normalize(&walk->ranges);
    return has_ranges;
}

static void add_span(
    struct walk *walk, uint32_t node, uint64_t start, uint64_t end)
{
    struct table *spans = &walk->unit->spans;
    struct sym_span span = {.start = start, .end = end, .owner = node};
    if (spans->count >= SPAN_LIMIT)
        give_up(walk, STATUS_LIMIT, "too many address ranges");
    else if (table_add(spans, &span) == TABLE_NONE)
        give_up(walk, STATUS_NO_MEMORY, "no memory for address ranges");
}

/* Of the parent's spans, the first that ends after `vaddr`. */
static uint32_t first_after(
    const struct table *spans, const struct sym_node *parent, uint64_t vaddr)
{
    uint32_t low = parent->first_span;
    uint32_t high = parent->first_span + parent->span_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (((struct sym_span *)table_row(spans, middle))->end <= vaddr)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Give the node the part of `range` that its parent has. */
static void add_clipped(
    struct walk *walk, uint32_t node, const struct sym_node *parent,
    struct range range)
{
    const struct table *spans = &walk->unit->spans;
    uint32_t end = parent->first_span + parent->span_count;
    for (uint32_t i = first_after(spans, parent, range.start); i < end; i++) {
        struct sym_span limit = *(struct sym_span *)table_row(spans, i);
        if (limit.start >= range.end || walk->status == STATUS_LIMIT)
            return;
        add_span(
            walk, node, limit.start > range.start ? limit.start : range.start,
            limit.end < range.end ? limit.end : range.end);
    }
}

/* ---- nodes ---- */

static void add_spans(struct walk *walk, struct sym_node *node, uint32_t id)
{
    node->first_span = walk->unit->spans.count;
    struct sym_node parent = {0};
    if (node->parent != SYM_NO_NODE)
        parent = *sym_unit_node(walk->unit, node->parent);
    for (uint32_t i = 0; i < walk->ranges.count; i++) {
        struct range range = *(struct range *)table_row(&walk->ranges, i);
        if (node->parent == SYM_NO_NODE)
            add_span(walk, id, range.start, range.end);
        else
            add_clipped(walk, id, &parent, range);
    }
    node->span_count = walk->unit->spans.count - node->first_span;
}

/* Add a function body or an inlined call; the node for what is inside it. */
static uint32_t add_node(struct walk *walk, Dwarf_Die *die, uint32_t parent)
{
    bool has_ranges = read_ranges(walk, die);
    /* A function without code is a declaration or the origin of others. */
    if (walk->ranges.count == 0 && (has_ranges || parent == SYM_NO_NODE))
        return SYM_NO_NODE;

    struct sym_node node = {
        .name = sym_die_name(&walk->context->names, die),
        .parent = parent,
        .start = walk->first_start,
        .call_file = sym_die_number(die, DW_AT_call_file),
        .call_line = (uint32_t)sym_die_number(die, DW_AT_call_line),
        .call_column = (uint32_t)sym_die_number(die, DW_AT_call_column)};
    uint32_t id = walk->unit->nodes.count;
    if (has_ranges) {
        add_spans(walk, &node, id);
    } else { /* what is inside it may still have code of its caller */
        const struct sym_node *caller = sym_unit_node(walk->unit, parent);
        node.first_span = caller->first_span;
        node.span_count = caller->span_count;
    }
    if (node.name == SYM_NO_STRING ||
        table_add(&walk->unit->nodes, &node) == TABLE_NONE) {
        give_up(walk, STATUS_NO_MEMORY, "no memory for functions");
        return SYM_NO_NODE;
    }
    return id;
}

/*
 * Take in one DIE. `scope` is the node around it on entry and the node around
 * its children on return. False when its children cannot hold code.
 */
static bool visit(struct walk *walk, Dwarf_Die *die, uint32_t *scope)
{
    switch (dwarf_tag(die)) {
    case DW_TAG_subprogram:
        *scope = add_node(walk, die, SYM_NO_NODE);
        return true;
    case DW_TAG_inlined_subroutine:
        if (*scope != SYM_NO_NODE)
            *scope = add_node(walk, die, *scope);
        return true;
    case DW_TAG_lexical_block:
    case DW_TAG_try_block:
    case DW_TAG_catch_block:
    case DW_TAG_with_stmt:
    case DW_TAG_namespace:
    case DW_TAG_module:
    case DW_TAG_class_type:
    case DW_TAG_structure_type:
    case DW_TAG_union_type:
    case DW_TAG_interface_type:
        return true;
    default:
        return false;
    }
}

/* ---- the walk ---- */

struct level {
    Dwarf_Die die;
    uint32_t scope;
};

/* Go to the next sibling, or to that of the nearest ancestor that has one. */
static int next_level(struct walk *walk, struct level *levels, int depth)
{
    while (depth >= 0) {
        int result = dwarf_siblingof(&levels[depth].die, &levels[depth].die);
        if (result == 0)
            return depth;
        if (result < 0)
            give_up(walk, STATUS_MALFORMED, "damaged DIE");
        depth--;
    }
    return depth;
}

/*
 * Visit every DIE below `root` in the order of the file. Offsets must grow
 * with every step, which a circle of siblings cannot.
 */
static void walk_tree(struct walk *walk, Dwarf_Die *root)
{
    struct level levels[DEPTH_LIMIT];
    if (dwarf_child(root, &levels[0].die) != 0)
        return;
    int depth = 0;
    levels[0].scope = SYM_NO_NODE;
    Dwarf_Off last = dwarf_dieoffset(root);
    while (depth >= 0 && walk->status != STATUS_NO_MEMORY) {
        struct level *level = &levels[depth];
        Dwarf_Off offset = dwarf_dieoffset(&level->die);
        if (offset <= last || walk->status == STATUS_LIMIT) {
            give_up(walk, STATUS_MALFORMED, "DIEs out of order");
            return;
        }
        last = offset;

        uint32_t scope = level->scope;
        bool may_hold_code = visit(walk, &level->die, &scope);
        if (may_hold_code && depth + 1 < DEPTH_LIMIT &&
            dwarf_child(&level->die, &levels[depth + 1].die) == 0) {
            levels[++depth].scope = scope;
            continue;
        }
        depth = next_level(walk, levels, depth);
    }
}

/* Languages whose symbols say more than DW_AT_name does. */
static bool mangles_names(Dwarf_Die *root)
{
    switch (dwarf_srclang(root)) {
    case DW_LANG_C_plus_plus:
    case DW_LANG_C_plus_plus_03:
    case DW_LANG_C_plus_plus_11:
    case DW_LANG_C_plus_plus_14:
    case DW_LANG_Rust:
    case DW_LANG_D:
    case DW_LANG_Swift:
        return true;
    default:
        return false;
    }
}

static enum status read_lines(
    struct sym_unit *unit, const struct sym_unit_context *context,
    Dwarf_Die *root, struct diag *diag)
{
    Dwarf_Attribute attribute;
    Dwarf_Word offset;
    if (dwarf_attr(root, DW_AT_stmt_list, &attribute) == NULL ||
        dwarf_formudata(&attribute, &offset) != 0)
        return STATUS_OK; /* none, as in units of types only */

    const char *comp_dir = NULL;
    if (dwarf_attr(root, DW_AT_comp_dir, &attribute) != NULL)
        comp_dir = dwarf_formstring(&attribute);
    struct sym_line_input input = {
        .line = context->line,
        .line_str = context->line_str,
        .str = context->str,
        .offset = offset,
        .comp_dir = comp_dir ? comp_dir : "",
        .image = context->image};
    return sym_lines_read(&unit->lines, &input, diag);
}

enum status sym_unit_read(
    struct sym_unit *unit, struct sym_unit_context *context, struct diag *diag)
{
    unit->is_read = true;
    unit->nodes.row_bytes = sizeof(struct sym_node);
    unit->spans.row_bytes = sizeof(struct sym_span);

    Dwarf_Die root, split_root;
    if (dwarf_cu_info(
            unit->handle, NULL, NULL, &root, &split_root, NULL, NULL, NULL) !=
        0)
        return fail(diag, STATUS_MALFORMED, "damaged compilation unit");

    struct walk walk = {
        .unit = unit,
        .context = context,
        .ranges.row_bytes = sizeof(struct range)};
    bool is_split = split_root.addr != NULL &&
                    dwarf_tag(&split_root) == DW_TAG_compile_unit;
    walk_tree(&walk, is_split ? &split_root : &root);
    table_fini(&walk.ranges);
    unit->has_mangled_names = mangles_names(&root);
    if (walk.status == STATUS_NO_MEMORY || !sym_spans_flatten(&unit->spans))
        return fail(diag, STATUS_NO_MEMORY, "no memory for functions");

    enum status status = read_lines(unit, context, &root, diag);
    if (status == STATUS_OK && walk.status != STATUS_OK)
        status = fail(
            diag, walk.status, "unit at 0x%llx: %s",
            (unsigned long long)dwarf_dieoffset(&root), walk.complaint);
    return status;
}

uint32_t sym_unit_find(const struct sym_unit *unit, uint64_t vaddr)
{
    const struct sym_span *span = sym_spans_find(&unit->spans, vaddr);
    return span ? span->owner : SYM_NO_NODE;
}

const struct sym_node *sym_unit_node(const struct sym_unit *unit, uint32_t id)
{
    return table_row(&unit->nodes, id);
}

void sym_unit_fini(struct sym_unit *unit)
{
    table_fini(&unit->nodes);
    table_fini(&unit->spans);
    sym_lines_fini(&unit->lines);
}
