/*
 * The merged call tree.
 *
 * Stacks of the model are chains of exact places, shared from the root on. A
 * visit is one such chain below one process or thread; it is expanded once,
 * from the nearest caller already visited, so that building costs as much as
 * there are distinct chains, not as samples are deep.
 *
 * Weights are added where samples end, then carried to the root in one pass
 * over ids: a row's parent always has a lower id. The same holds for visits,
 * whose totals then say how much each source line of a node weighs.
 */
#include "exporters/tree.h"

#include <stdlib.h>
#include <string.h>

#include "exporters/text.h"
#include "profiler/base/table.h"

struct visit {
    uint32_t root;   /* the node of the process or thread */
    uint32_t stack;  /* of the profile */
    uint32_t node;   /* the innermost line of the stack's frame */
    uint32_t parent; /* the caller's visit, or TABLE_NONE */
    uint64_t weight;
};

struct exp_tree {
    const struct prof_profile *profile;
    struct exp_frames *frames;
    struct table node;       /* struct exp_node */
    struct index node_index; /* by parent and name */
    uint32_t *leaves;        /* one node per sample */
    uint32_t depth;
};

/* What is needed only while building. */
struct builder {
    struct exp_tree *tree;
    const struct exp_options *options;
    struct table visit; /* struct visit */
    struct index visit_index;
    struct table path;       /* uint32_t stacks that wait, leaf first */
    uint32_t *process_nodes; /* one per process, or EXP_NODE_NONE */
    uint32_t *thread_nodes;  /* one per thread, or EXP_NODE_NONE */
};

static struct exp_node *node_row(const struct exp_tree *tree, uint32_t id)
{
    return table_row(&tree->node, id);
}

static struct visit *visit_row(const struct builder *builder, uint32_t id)
{
    return table_row(&builder->visit, id);
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

/* The child of `parent` for a frame; EXP_NODE_NONE when out of memory. */
static uint32_t child_for(
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

static uint32_t process_node(struct builder *builder, uint32_t process)
{
    uint32_t *node = &builder->process_nodes[process];
    struct exp_frame frame;
    if (*node == EXP_NODE_NONE &&
        exp_frames_process(builder->tree->frames, process, &frame))
        *node = child_for(builder->tree, EXP_NODE_ROOT, &frame);
    return *node;
}

static uint32_t thread_node(struct builder *builder, uint32_t thread)
{
    uint32_t *node = &builder->thread_nodes[thread];
    if (*node != EXP_NODE_NONE)
        return *node;
    uint32_t process =
        prof_profile_thread(builder->tree->profile, thread)->process;
    uint32_t parent = process_node(builder, process);
    struct exp_frame frame;
    if (parent != EXP_NODE_NONE &&
        exp_frames_thread(builder->tree->frames, thread, &frame))
        *node = child_for(builder->tree, parent, &frame);
    return *node;
}

/* ---- visits ---- */

struct visit_key {
    const struct builder *builder;
    uint32_t root, stack;
};

static bool visit_equal(const void *owner, uint32_t id, const void *key)
{
    const struct visit *visit = visit_row(owner, id);
    const struct visit_key *wanted = key;
    return visit->root == wanted->root && visit->stack == wanted->stack;
}

static uint32_t visit_hash(uint32_t root, uint32_t stack)
{
    return hash_u64((uint64_t)root << 32 | stack);
}

static uint32_t find_visit(
    const struct builder *builder, uint32_t root, uint32_t stack)
{
    struct visit_key key = {.root = root, .stack = stack};
    return index_find(
        &builder->visit_index, visit_hash(root, stack), visit_equal, builder,
        &key);
}

/* Expand the frame of one stack below its caller's visit. */
static uint32_t add_visit(
    struct builder *builder, uint32_t process, uint32_t root, uint32_t parent,
    uint32_t stack)
{
    struct exp_tree *tree = builder->tree;
    uint32_t frame = prof_profile_stack(tree->profile, stack)->frame;
    uint32_t node =
        parent == TABLE_NONE ? root : visit_row(builder, parent)->node;

    uint32_t lines = prof_profile_frame_depth(tree->profile, frame);
    for (uint32_t index = lines; index-- > 0;) {
        struct exp_frame display;
        if (!exp_frames_line(tree->frames, process, frame, index, &display))
            return TABLE_NONE;
        node = child_for(tree, node, &display);
        if (node == EXP_NODE_NONE)
            return TABLE_NONE;
    }

    struct visit visit = {
        .root = root, .stack = stack, .node = node, .parent = parent};
    uint32_t id = table_add(&builder->visit, &visit);
    if (id == TABLE_NONE ||
        !index_add(&builder->visit_index, visit_hash(root, stack), id))
        return TABLE_NONE;
    return id;
}

/* The visit of a whole stack, not empty; TABLE_NONE when out of memory. */
static uint32_t visit_stack(
    struct builder *builder, uint32_t process, uint32_t root, uint32_t stack)
{
    const struct prof_profile *profile = builder->tree->profile;
    uint32_t visit = TABLE_NONE;
    builder->path.count = 0;
    while (stack != PROF_NONE) {
        visit = find_visit(builder, root, stack);
        if (visit != TABLE_NONE)
            break;
        if (table_add(&builder->path, &stack) == TABLE_NONE)
            return TABLE_NONE;
        stack = prof_profile_stack(profile, stack)->parent;
    }

    for (uint32_t at = builder->path.count; at-- > 0;) {
        uint32_t next = *(uint32_t *)table_row(&builder->path, at);
        visit = add_visit(builder, process, root, visit, next);
        if (visit == TABLE_NONE)
            return TABLE_NONE;
    }
    return visit;
}

/* ---- samples ---- */

static uint64_t weight_of(
    const struct builder *builder, const struct prof_sample *sample)
{
    const struct exp_options *options = builder->options;
    const struct prof_profile *profile = builder->tree->profile;
    uint32_t types = prof_profile_value_type_count(profile);
    if (options->unit == EXP_UNIT_SAMPLES || types == 0)
        return exp_sample_is_account(profile, sample) ? 0 : 1;
    return options->value < types ? sample->values[options->value] : 0;
}

static bool add_sample(struct builder *builder, uint32_t id)
{
    struct exp_tree *tree = builder->tree;
    const struct prof_sample *sample = prof_profile_sample(tree->profile, id);
    uint32_t process =
        prof_profile_thread(tree->profile, sample->thread)->process;
    bool is_below_thread = builder->options->with_threads &&
                           !exp_sample_is_account(tree->profile, sample);
    uint32_t root = is_below_thread ? thread_node(builder, sample->thread)
                                    : process_node(builder, process);
    if (root == EXP_NODE_NONE)
        return false;

    uint32_t leaf = root;
    uint64_t weight = weight_of(builder, sample);
    if (sample->stack != PROF_NONE) {
        uint32_t at = visit_stack(builder, process, root, sample->stack);
        if (at == TABLE_NONE)
            return false;
        struct visit *visit = visit_row(builder, at);
        visit->weight = exp_text_add(visit->weight, weight);
        leaf = visit->node;
    }
    struct exp_node *node = node_row(tree, leaf);
    node->self = exp_text_add(node->self, weight);
    tree->leaves[id] = leaf;
    return true;
}

static void sum_totals(struct exp_tree *tree)
{
    for (uint32_t id = tree->node.count; id-- > 0;) {
        struct exp_node *node = node_row(tree, id);
        node->total = exp_text_add(node->total, node->self);
        if (node->parent == EXP_NODE_NONE)
            continue;
        struct exp_node *parent = node_row(tree, node->parent);
        parent->total = exp_text_add(parent->total, node->total);
    }
}

/* ---- source lines ---- */

/*
 * One weighted vote (Boyer and Moore, MJRTY): the line that has more than half
 * of a node's weight is the one that stands at the end.
 */
static void vote(
    struct exp_node *node, uint64_t *lead, uint32_t line, uint64_t weight)
{
    if (line == 0)
        return;
    if (node->frame.line == 0) {
        node->frame.line = line;
        *lead = weight;
    } else if (node->frame.line == line) {
        *lead = exp_text_add(*lead, weight);
    } else {
        node->has_other_lines = true;
        bool is_beaten = weight > *lead;
        if (is_beaten)
            node->frame.line = line;
        *lead = is_beaten ? weight - *lead : *lead - weight;
    }
}

static void vote_for_lines(
    struct builder *builder, const struct visit *visit, uint64_t *leads)
{
    struct exp_tree *tree = builder->tree;
    const struct prof_frame *frame = prof_profile_frame(
        tree->profile, prof_profile_stack(tree->profile, visit->stack)->frame);
    uint32_t id = visit->node;
    for (uint32_t index = 0; index < frame->line_count; index++) {
        const struct prof_line *line =
            prof_profile_line(tree->profile, frame->first_line + index);
        vote(node_row(tree, id), &leads[id], line->line, visit->weight);
        id = node_row(tree, id)->parent;
    }
}

static bool choose_lines(struct builder *builder)
{
    uint64_t *leads = calloc(builder->tree->node.count, sizeof *leads);
    if (leads == NULL)
        return false;
    for (uint32_t id = builder->visit.count; id-- > 0;) {
        struct visit *visit = visit_row(builder, id);
        vote_for_lines(builder, visit, leads);
        if (visit->parent != TABLE_NONE) {
            struct visit *caller = visit_row(builder, visit->parent);
            caller->weight = exp_text_add(caller->weight, visit->weight);
        }
    }
    free(leads);
    return true;
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

/* ---- building ---- */

/* `count` ids that are all none; never NULL for lack of rows. */
static uint32_t *none_ids(uint32_t count)
{
    size_t bytes = ((size_t)count + 1) * sizeof(uint32_t);
    uint32_t *ids = malloc(bytes);
    if (ids != NULL)
        memset(ids, 0xff, bytes);
    return ids;
}

static bool fill(struct builder *builder)
{
    struct exp_tree *tree = builder->tree;
    const struct prof_profile *profile = tree->profile;
    uint32_t samples = prof_profile_sample_count(profile);
    builder->process_nodes = none_ids(prof_profile_process_count(profile));
    builder->thread_nodes = none_ids(prof_profile_thread_count(profile));
    tree->leaves = none_ids(samples);
    if (!builder->process_nodes || !builder->thread_nodes || !tree->leaves)
        return false;

    struct exp_frame root;
    if (!exp_frames_named(tree->frames, EXP_KIND_PROCESS, "all", &root) ||
        child_for(tree, EXP_NODE_NONE, &root) != EXP_NODE_ROOT)
        return false;
    for (uint32_t id = 0; id < samples; id++) {
        if (!add_sample(builder, id))
            return false;
    }
    sum_totals(tree);
    return choose_lines(builder) && link_siblings(tree);
}

struct exp_tree *exp_tree_create(
    const struct prof_profile *profile, const struct exp_options *options)
{
    struct exp_tree *tree = malloc(sizeof *tree);
    if (tree == NULL)
        return NULL;
    *tree = (struct exp_tree){
        .profile = profile,
        .frames = exp_frames_create(profile),
        .node = {.row_bytes = sizeof(struct exp_node)}};
    struct builder builder = {
        .tree = tree,
        .options = options,
        .visit = {.row_bytes = sizeof(struct visit)},
        .path = {.row_bytes = sizeof(uint32_t)}};

    bool is_done = tree->frames != NULL && fill(&builder);
    table_fini(&builder.visit);
    table_fini(&builder.path);
    index_fini(&builder.visit_index);
    free(builder.process_nodes);
    free(builder.thread_nodes);
    if (!is_done) {
        exp_tree_destroy(tree);
        return NULL;
    }
    return tree;
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
