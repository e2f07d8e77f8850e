/*
 * The functions and inlined calls of one unit, while its DIEs are read.
 *
 * For every DIE that may have code: begin, add its ranges, add its node. The
 * spans of a node are clipped to those of its caller as they come; when all
 * are in, sym_spans_flatten() makes them answer.
 */
#ifndef SYMBOLIZER_TREE_H
#define SYMBOLIZER_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "profiler/base/table.h"
#include "symbolizer/budget.h"
#include "symbolizer/image.h"

#define SYM_NO_NODE UINT32_MAX

struct sym_node {
    uint32_t name;   /* raw; 0 when DWARF has none */
    uint32_t parent; /* the caller it is inlined into, or SYM_NO_NODE */
    uint64_t start;  /* where the function body, or the inlined one, begins */
    uint64_t call_file;
    uint32_t call_line, call_column;
    uint32_t first_span, span_count; /* while the tree is being read */
};

struct sym_tree {
    const struct sym_image *image; /* tells dead code */
    struct table *nodes;           /* struct sym_node, parents first */
    struct table *spans;           /* struct sym_span, owner: a node */
    struct table ranges;           /* of the DIE at hand */
    bool has_ranges;               /* it had some, dead ones counted */
    uint64_t first_start;
    uint64_t range_count;      /* of the whole unit */
    struct sym_budget *budget; /* NULL: there is no limit */
    enum status status;        /* OK, or the first failure */
    const char *complaint;
};

void sym_tree_init(
    struct sym_tree *tree, const struct sym_image *image, struct table *nodes,
    struct table *spans, struct sym_budget *budget);

/* Forget the ranges of the DIE before. */
void sym_tree_begin(struct sym_tree *tree);

/* One range of the DIE at hand; what is empty or dead is dropped. False when
   there are too many: the unit is not to be believed. */
bool sym_tree_add_range(struct sym_tree *tree, uint64_t start, uint64_t end);

/* The ranges are in. Whether the DIE becomes a node: a function without code
   does not, for it is a declaration or the origin of others. */
bool sym_tree_wants(struct sym_tree *tree, uint32_t parent);

/* Add the node, of which name, parent and call site are given; its id, or
   SYM_NO_NODE after a failure. */
uint32_t sym_tree_add(struct sym_tree *tree, struct sym_node node);

/* Remember the first failure; running out of memory outweighs the others. */
void sym_tree_fail(
    struct sym_tree *tree, enum status status, const char *complaint);

void sym_tree_fini(struct sym_tree *tree);

#endif
