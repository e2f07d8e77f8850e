/* The merged call tree: its nodes and their order. */
#include "exporters/tree.h"

#include <stdlib.h>
#include <string.h>

#include "exporters/text.h"
#include "exporters/tree_model.h"

static struct exp_node *node_row(const struct exp_tree *tree, uint32_t id)
{
    return table_row(&tree->node, id);
}

/* ---- nodes ---- */

struct node_key {
    uint32_t parent, name;
};

static bool node_equal(const void *owner, uint32_t id, const void *key)
{
    const struct exp_node *node = node_row(owner, id);
    const struct node_key *wanted = key;
    return node->parent == wanted->parent && node->frame.name == wanted->name;
}

/* A node of several kinds takes the first; out of line outranks inlined. */
static void merge(struct exp_node *node, const struct exp_frame *frame)
{
    if (frame->kind < node->frame.kind)
        node->frame.kind = frame->kind;
    if (!frame->is_inlined)
        node->frame.is_inlined = false;
    if (node->frame.file == 0)
        node->frame.file = frame->file;
}

uint32_t exp_tree_child(
    struct exp_tree *tree, uint32_t parent, const struct exp_frame *frame)
{
    struct node_key key = {.parent = parent, .name = frame->name};
    uint32_t hash = hash_u64((uint64_t)parent << 32 | frame->name);
    uint32_t id = index_find(&tree->node_index, hash, node_equal, tree, &key);
    if (id != TABLE_NONE) {
        merge(node_row(tree, id), frame);
        return id;
    }

    struct exp_node node = {
        .frame = *frame,
        .parent = parent,
        .first_child = EXP_NODE_NONE,
        .next_sibling = EXP_NODE_NONE,
    };
    node.frame.line = 0; /* the votes decide */
    if (parent != EXP_NODE_NONE)
        node.depth = node_row(tree, parent)->depth + 1;
    if (node.depth > tree->depth)
        tree->depth = node.depth;

    id = table_add(&tree->node, &node);
    if (id == TABLE_NONE || !index_add(&tree->node_index, hash, id))
        return EXP_NODE_NONE;
    return id;
}

/* ---- totals ---- */

static void sum_totals(struct exp_tree *tree)
{
    for (uint32_t id = tree->node.count; id-- > 0;) {
        struct exp_node *node = node_row(tree, id);
        node->total = exp_text_add(node->total, node->self);
        if (node->parent == EXP_NODE_NONE)
            continue;
        struct exp_node *parent = node_row(tree, node->parent);
        parent->total = exp_text_add(parent->total, node->total);
        parent->off = exp_text_add(parent->off, node->off);
    }
}

/* ---- order ---- */

static int compare_names(const void *a, const void *b, void *frames)
{
    return strcmp(
        exp_frames_text(frames, *(const uint32_t *)a),
        exp_frames_text(frames, *(const uint32_t *)b));
}

/* Name ids in the order of their texts; NULL when out of memory. */
static uint32_t *sorted_names(struct exp_frames *frames)
{
    uint32_t count = exp_frames_name_count(frames);
    uint32_t *names = malloc(count * sizeof *names);
    if (names == NULL)
        return NULL;
    for (uint32_t id = 0; id < count; id++)
        names[id] = id;
    qsort_r(names, count, sizeof *names, compare_names, frames);
    return names;
}

/*
 * Put siblings in the order of their names: nodes are bucketed by name, and
 * the buckets, last name first, pushed in front of their parents' children.
 */
static bool link_siblings(struct exp_tree *tree)
{
    uint32_t name_count = exp_frames_name_count(tree->frames);
    uint32_t *names = sorted_names(tree->frames);
    uint32_t *buckets = malloc(name_count * sizeof *buckets);
    uint32_t *next = malloc(tree->node.count * sizeof *next);
    bool is_done = names && buckets && next;
    if (is_done) {
        memset(buckets, 0xff, name_count * sizeof *buckets);
        for (uint32_t id = 1; id < tree->node.count; id++) {
            uint32_t name = node_row(tree, id)->frame.name;
            next[id] = buckets[name];
            buckets[name] = id;
        }
        for (uint32_t rank = name_count; rank-- > 0;) {
            uint32_t id = buckets[names[rank]];
            for (; id != EXP_NODE_NONE; id = next[id]) {
                struct exp_node *node = node_row(tree, id);
                struct exp_node *parent = node_row(tree, node->parent);
                node->next_sibling = parent->first_child;
                parent->first_child = id;
            }
        }
    }
    free(next);
    free(buckets);
    free(names);
    return is_done;
}

bool exp_tree_link(struct exp_tree *tree)
{
    sum_totals(tree);
    return link_siblings(tree);
}

void exp_tree_destroy(struct exp_tree *tree)
{
    if (tree == NULL)
        return;
    exp_frames_destroy(tree->frames);
    table_fini(&tree->node);
    index_fini(&tree->node_index);
    free(tree->leaves);
    free(tree);
}

/* ---- reading ---- */

uint32_t exp_tree_count(const struct exp_tree *tree)
{
    return tree->node.count;
}

const struct exp_node *exp_tree_node(const struct exp_tree *tree, uint32_t id)
{
    return node_row(tree, id);
}

const char *exp_tree_text(const struct exp_tree *tree, uint32_t id)
{
    return exp_frames_text(tree->frames, node_row(tree, id)->frame.name);
}

const char *exp_tree_name(const struct exp_tree *tree, uint32_t name)
{
    return exp_frames_text(tree->frames, name);
}

uint32_t exp_tree_name_count(const struct exp_tree *tree)
{
    return exp_frames_name_count(tree->frames);
}

uint32_t exp_tree_depth(const struct exp_tree *tree)
{
    return tree->depth;
}

uint32_t exp_tree_leaf(const struct exp_tree *tree, uint32_t sample)
{
    return tree->leaves[sample];
}

uint32_t exp_tree_skip(const struct exp_tree *tree, uint32_t id)
{
    for (;; id = node_row(tree, id)->parent) {
        const struct exp_node *node = node_row(tree, id);
        if (node->next_sibling != EXP_NODE_NONE ||
            node->parent == EXP_NODE_NONE)
            return node->next_sibling;
    }
}

uint32_t exp_tree_next(const struct exp_tree *tree, uint32_t id)
{
    uint32_t child = node_row(tree, id)->first_child;
    return child != EXP_NODE_NONE ? child : exp_tree_skip(tree, id);
}
