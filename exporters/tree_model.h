/* The inside of the call tree: tree_build.c makes it of what tree.c keeps. */
#ifndef EXPORTERS_TREE_MODEL_H
#define EXPORTERS_TREE_MODEL_H

#include <stdbool.h>

#include "exporters/tree.h"
#include "profiler/base/table.h"

struct exp_tree {
    const struct prof_profile *profile;
    struct exp_frames *frames;
    struct table node;       /* struct exp_node */
    struct index node_index; /* by parent and name */
    uint32_t *leaves;        /* one node per sample */
    uint32_t depth;
};

/* The child of `parent` for a frame; EXP_NODE_NONE when out of memory. */
uint32_t exp_tree_child(
    struct exp_tree *tree, uint32_t parent, const struct exp_frame *frame);

/*
 * When all weights are in: sum them up towards the root, and put siblings in
 * their order; false when out of memory.
 */
bool exp_tree_link(struct exp_tree *tree);

#endif
