/* One compilation unit: the walk over its DIEs. */
#include "symbolizer/unit.h"

#include <dwarf.h>

#include "symbolizer/scan.h"
#include "symbolizer/spans.h"

/* Real trees have been seen 60 levels deep. */
enum { DEPTH_LIMIT = 256 };

/* ---- the walk with libdw ---- */

struct walk {
    struct sym_tree *tree;
    struct sym_unit_context *context;
};

static void read_ranges(struct sym_tree *tree, Dwarf_Die *die)
{
    Dwarf_Addr base, start, end;
    ptrdiff_t offset = 0;
    sym_tree_begin(tree);
    while ((offset = dwarf_ranges(die, offset, &base, &start, &end)) > 0) {
        if (!sym_tree_add_range(tree, start, end))
            return;
    }
    if (offset < 0)
        sym_tree_fail(tree, STATUS_MALFORMED, "damaged address ranges");
}

/* Add a function body or an inlined call; the node for what is inside it. */
static uint32_t add_node(struct walk *walk, Dwarf_Die *die, uint32_t parent)
{
    read_ranges(walk->tree, die);
    if (!sym_tree_wants(walk->tree, parent))
        return SYM_NO_NODE;
    struct sym_node node = {
        .name = sym_die_name(&walk->context->names, die),
        .parent = parent,
        .call_file = sym_die_number(die, DW_AT_call_file),
        .call_line = (uint32_t)sym_die_number(die, DW_AT_call_line),
        .call_column = (uint32_t)sym_die_number(die, DW_AT_call_column)};
    return sym_tree_add(walk->tree, node);
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
            sym_tree_fail(walk->tree, STATUS_MALFORMED, "damaged DIE");
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
    while (depth >= 0 && walk->tree->status != STATUS_NO_MEMORY) {
        struct level *level = &levels[depth];
        Dwarf_Off offset = dwarf_dieoffset(&level->die);
        if (offset <= last || walk->tree->status == STATUS_LIMIT) {
            sym_tree_fail(walk->tree, STATUS_MALFORMED, "DIEs out of order");
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
static bool mangles_names(uint64_t language)
{
    switch (language) {
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

static const char *text_attribute(
    Dwarf_Die *die, unsigned name, unsigned old_name)
{
    Dwarf_Attribute attribute;
    if (dwarf_attr(die, name, &attribute) == NULL &&
        (old_name == 0 || dwarf_attr(die, old_name, &attribute) == NULL))
        return NULL;
    return dwarf_formstring(&attribute);
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

    const char *comp_dir = text_attribute(root, DW_AT_comp_dir, 0);
    struct sym_line_input input = {
        .line = context->line,
        .line_str = context->areas.line_str,
        .str = context->areas.str,
        .offset = offset,
        .comp_dir = comp_dir ? comp_dir : "",
        .image = context->image,
        .budget = context->areas.budget};
    return sym_lines_read(&unit->lines, &input, diag);
}

/* ---- the two halves of a split unit ---- */

/* False when the unit is whole. */
static bool read_skeleton(
    struct sym_skeleton *skeleton, const struct sym_unit_context *context,
    Dwarf_Die *root, uint64_t id)
{
    const char *comp_dir = text_attribute(root, DW_AT_comp_dir, 0);
    Dwarf_Addr low_pc = 0;
    (void)dwarf_lowpc(root, &low_pc);
    *skeleton = (struct sym_skeleton){
        .name = text_attribute(root, DW_AT_dwo_name, DW_AT_GNU_dwo_name),
        .comp_dir = comp_dir != NULL ? comp_dir : "",
        .id = id != 0 ? id : sym_die_number(root, DW_AT_GNU_dwo_id),
        .bases = context->areas.bases};
    skeleton->bases.low_pc = low_pc;
    skeleton->bases.ranges_base = sym_die_number(root, DW_AT_GNU_ranges_base);
    skeleton->bases.address_table = sym_die_number(root, DW_AT_addr_base) +
                                    sym_die_number(root, DW_AT_GNU_addr_base);
    return skeleton->name != NULL && skeleton->id != 0;
}

/* Functions and inlined calls of the other half; false where it is not found
   or not understood. */
static bool read_split_tree(
    struct sym_unit_context *context, const struct sym_skeleton *skeleton,
    struct sym_tree *tree, uint64_t *language, struct diag *problem)
{
    struct sym_split_half half;
    *language = 0;
    if (!sym_split_find(&context->split, skeleton, &half, problem))
        return false;
    /* Names are remembered by where they lie, and the file goes away. */
    struct sym_die_names names;
    sym_die_names_init(&names, context->names.strings);
    bool is_understood = sym_scan_unit(tree, &names, &half.source, language);
    if (!is_understood)
        (void)fail(
            problem, STATUS_MALFORMED, "'%s': damaged unit", skeleton->name);
    sym_die_names_fini(&names);
    sym_split_half_close(&half);
    return is_understood;
}

/* ---- reading ---- */

static void begin_again(
    struct sym_unit *unit, const struct sym_unit_context *context,
    struct sym_tree *tree)
{
    sym_tree_fini(tree);
    unit->nodes.count = unit->spans.count = 0;
    sym_tree_init(
        tree, context->image, &unit->nodes, &unit->spans,
        context->areas.budget);
}

/* Functions and inlined calls, by the quick way where it knows the encoding. */
static void read_tree(
    struct sym_unit *unit, struct sym_unit_context *context,
    struct sym_tree *tree, Dwarf_Die *root, uint64_t id, struct diag *problem)
{
    struct sym_skeleton skeleton;
    uint64_t language;
    if (read_skeleton(&skeleton, context, root, id)) {
        unit->is_scanned =
            read_split_tree(context, &skeleton, tree, &language, problem);
        unit->has_mangled_names = mangles_names(language);
        if (unit->is_scanned)
            return;
        begin_again(unit, context, tree);
    }
    int known = dwarf_srclang(root);
    unit->has_mangled_names = known > 0 && mangles_names((uint64_t)known);
    struct sym_unit_source source = context->areas;
    source.offset = dwarf_dieoffset(root) - dwarf_cuoffset(root);
    unit->is_scanned = !context->uses_libdw_only &&
                       sym_scan_unit(tree, &context->names, &source, &language);
    if (unit->is_scanned)
        return;
    begin_again(unit, context, tree);
    struct walk walk = {.tree = tree, .context = context};
    walk_tree(&walk, root);
}

/* From the addresses of DWARF to those of the runtime file. */
static void move(struct sym_unit *unit, uint64_t shift)
{
    struct sym_node *nodes = unit->nodes.rows;
    struct sym_span *spans = unit->spans.rows;
    struct sym_line_row *rows = unit->lines.rows.rows;
    for (uint32_t i = 0; shift != 0 && i < unit->nodes.count; i++)
        nodes[i].start += shift;
    for (uint32_t i = 0; shift != 0 && i < unit->spans.count; i++) {
        spans[i].start += shift;
        spans[i].end += shift;
    }
    for (uint32_t i = 0; shift != 0 && i < unit->lines.rows.count; i++)
        rows[i].vaddr += shift;
}

enum status sym_unit_read(
    struct sym_unit *unit, struct sym_unit_context *context, struct diag *diag)
{
    unit->is_read = true;

    Dwarf_Die root;
    uint64_t id; /* 0 unless it is in the header */
    if (dwarf_cu_info(unit->handle, NULL, NULL, &root, NULL, &id, NULL, NULL) !=
        0)
        return fail(diag, STATUS_MALFORMED, "damaged compilation unit");

    struct sym_tree tree;
    sym_tree_init(
        &tree, context->image, &unit->nodes, &unit->spans,
        context->areas.budget);
    read_tree(unit, context, &tree, &root, id, diag);
    sym_tree_fini(&tree);
    if (tree.status == STATUS_NO_MEMORY || !sym_spans_flatten(&unit->spans))
        return fail(diag, STATUS_NO_MEMORY, "no memory for functions");

    enum status status = read_lines(unit, context, &root, diag);
    move(unit, context->shift);
    if (status == STATUS_OK && tree.status != STATUS_OK)
        status = fail(
            diag, tree.status, "unit at 0x%llx: %s",
            (unsigned long long)dwarf_dieoffset(&root), tree.complaint);
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
