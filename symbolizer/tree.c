/* Functions and inlined calls, and the addresses each may claim. */
#include "symbolizer/tree.h"

#include <stdlib.h>

#include "symbolizer/spans.h"
#include "symbolizer/strings.h"

/* Ranges of one unit, far beyond what compilers write, for damaged ones can
   share one long list among all their DIEs. */
enum { SPAN_LIMIT = 1 << 23 };

struct range {
    uint64_t start, end;
};

void sym_tree_init(
    struct sym_tree *tree, const struct sym_image *image, struct table *nodes,
    struct table *spans, struct sym_budget *budget)
{
    *tree = (struct sym_tree){
        .image = image,
        .nodes = nodes,
        .spans = spans,
        .budget = budget,
        .ranges.row_bytes = sizeof(struct range)};
    nodes->row_bytes = sizeof(struct sym_node);
    spans->row_bytes = sizeof(struct sym_span);
}

void sym_tree_fini(struct sym_tree *tree)
{
    table_fini(&tree->ranges);
}

void sym_tree_fail(
    struct sym_tree *tree, enum status status, const char *complaint)
{
    if (tree->status == STATUS_OK || status == STATUS_NO_MEMORY) {
        tree->status = status;
        tree->complaint = complaint;
    }
}

/* ---- ranges of the DIE at hand ---- */

void sym_tree_begin(struct sym_tree *tree)
{
    tree->ranges.count = 0;
    tree->has_ranges = false;
}

bool sym_tree_add_range(struct sym_tree *tree, uint64_t start, uint64_t end)
{
    tree->has_ranges = true;
    if (++tree->range_count > SPAN_LIMIT) {
        sym_tree_fail(tree, STATUS_LIMIT, "too many address ranges");
        return false;
    }
    if (!sym_budget_spend(tree->budget, SYM_COST_OF_A_RANGE)) {
        sym_tree_fail(tree, STATUS_LIMIT, SYM_BUDGET_COMPLAINT);
        return false;
    }
    if (start >= end || !sym_image_is_code(tree->image, start))
        return true;
    if (tree->ranges.count == 0)
        tree->first_start = start;
    struct range range = {.start = start, .end = end};
    if (table_add(&tree->ranges, &range) != TABLE_NONE)
        return true;
    sym_tree_fail(tree, STATUS_NO_MEMORY, "no memory for address ranges");
    return false;
}

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

bool sym_tree_wants(struct sym_tree *tree, uint32_t parent)
{
    normalize(&tree->ranges);
    return tree->ranges.count > 0 ||
           (!tree->has_ranges && parent != SYM_NO_NODE);
}

/* ---- spans ---- */

static const struct sym_node *node_at(const struct sym_tree *tree, uint32_t id)
{
    return table_row(tree->nodes, id);
}

static void add_span(
    struct sym_tree *tree, uint32_t node, uint64_t start, uint64_t end)
{
    struct sym_span span = {.start = start, .end = end, .owner = node};
    if (tree->spans->count >= SPAN_LIMIT ||
        !sym_budget_spend(tree->budget, SYM_COST_OF_A_RANGE))
        sym_tree_fail(tree, STATUS_LIMIT, "too many address ranges");
    else if (table_add(tree->spans, &span) == TABLE_NONE)
        sym_tree_fail(tree, STATUS_NO_MEMORY, "no memory for address ranges");
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
    struct sym_tree *tree, uint32_t node, const struct sym_node *parent,
    struct range range)
{
    uint32_t end = parent->first_span + parent->span_count;
    for (uint32_t i = first_after(tree->spans, parent, range.start); i < end;
         i++) {
        struct sym_span limit = *(struct sym_span *)table_row(tree->spans, i);
        if (limit.start >= range.end || tree->status == STATUS_LIMIT)
            return;
        add_span(
            tree, node, limit.start > range.start ? limit.start : range.start,
            limit.end < range.end ? limit.end : range.end);
    }
}

static void add_spans(struct sym_tree *tree, struct sym_node *node, uint32_t id)
{
    node->first_span = tree->spans->count;
    struct sym_node parent = {0};
    if (node->parent != SYM_NO_NODE)
        parent = *node_at(tree, node->parent);
    for (uint32_t i = 0; i < tree->ranges.count; i++) {
        struct range range = *(struct range *)table_row(&tree->ranges, i);
        if (node->parent == SYM_NO_NODE)
            add_span(tree, id, range.start, range.end);
        else
            add_clipped(tree, id, &parent, range);
    }
    node->span_count = tree->spans->count - node->first_span;
}

uint32_t sym_tree_add(struct sym_tree *tree, struct sym_node node)
{
    uint32_t id = tree->nodes->count;
    node.start = tree->first_start;
    if (tree->has_ranges) {
        add_spans(tree, &node, id);
    } else { /* what is inside it may still have code of its caller */
        const struct sym_node *caller = node_at(tree, node.parent);
        node.start = caller->start;
        node.first_span = caller->first_span;
        node.span_count = caller->span_count;
    }
    if (node.name == SYM_NO_STRING ||
        table_add(tree->nodes, &node) == TABLE_NONE) {
        sym_tree_fail(tree, STATUS_NO_MEMORY, "no memory for functions");
        return SYM_NO_NODE;
    }
    return id;
}
