/*
 * The merged call tree: every sample's stack as display frames, root first,
 * equal callers shared.
 *
 *   all -> process [-> thread] -> outermost function -> ... -> leaf
 *
 * An inlined function is a node of its own below the function it was inlined
 * into. An account ([startup], [exit], ...) is the single node below its
 * process, those of time off CPU below their thread. Nodes are merged by name;
 * siblings are in the order of their names. Sums that do not fit stop at
 * UINT64_MAX. Nothing here recurses, so depth is bounded by memory alone.
 */
#ifndef EXPORTERS_TREE_H
#define EXPORTERS_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "exporters/frames.h"
#include "exporters/options.h"

#define EXP_NODE_NONE UINT32_MAX
#define EXP_NODE_ROOT 0

struct exp_node {
    struct exp_frame frame; /* `line`: the one with most weight, if one rules */
    uint32_t parent;        /* EXP_NODE_NONE at the root; lower than its own */
    uint32_t first_child, next_sibling; /* or EXP_NODE_NONE */
    uint32_t depth;                     /* 0 at the root */
    uint64_t self, total;               /* in the unit of the options */
    uint64_t off;                       /* the part of total off CPU */
    bool has_other_lines;               /* `line` is not the only one */
};

struct exp_tree;

/* Borrows the profile; NULL when out of memory. */
struct exp_tree *exp_tree_create(
    const struct prof_profile *profile, const struct exp_options *options);
void exp_tree_destroy(struct exp_tree *tree);

/* What a sample counts, by the options. */
uint64_t exp_sample_weight(
    const struct prof_profile *profile, const struct exp_options *options,
    const struct prof_sample *sample);

/* Ids are dense, and a parent's is lower than its children's. */
uint32_t exp_tree_count(const struct exp_tree *tree);
const struct exp_node *exp_tree_node(const struct exp_tree *tree, uint32_t id);

/* The name of a node; the text of a name; the number of names. */
const char *exp_tree_text(const struct exp_tree *tree, uint32_t id);
const char *exp_tree_name(const struct exp_tree *tree, uint32_t name);
uint32_t exp_tree_name_count(const struct exp_tree *tree);

/* The deepest node's depth. */
uint32_t exp_tree_depth(const struct exp_tree *tree);

/* The node where the stack of a sample ends. */
uint32_t exp_tree_leaf(const struct exp_tree *tree, uint32_t sample);

/* Callers first, then callees by name; EXP_NODE_NONE after the last. */
uint32_t exp_tree_next(const struct exp_tree *tree, uint32_t id);

/* The same order, without the nodes below `id`. */
uint32_t exp_tree_skip(const struct exp_tree *tree, uint32_t id);

#endif
