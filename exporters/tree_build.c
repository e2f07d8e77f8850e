/*
 * Making the merged call tree of the samples.
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
#include "exporters/tree_model.h"

#include <stdlib.h>
#include <string.h>

#include "exporters/text.h"

struct visit {
    uint32_t root;   /* the node of the process or thread */
    uint32_t stack;  /* of the profile */
    uint32_t node;   /* the innermost line of the stack's frame */
    uint32_t parent; /* the caller's visit, or TABLE_NONE */
    uint64_t weight;
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

/* ---- processes and threads ---- */

static uint32_t process_node(struct builder *builder, uint32_t process)
{
    uint32_t *node = &builder->process_nodes[process];
    struct exp_frame frame;
    if (*node != EXP_NODE_NONE)
        return *node;
    if (!exp_process_is_shown(builder->tree->profile, process))
        *node = EXP_NODE_ROOT;
    else if (exp_frames_process(builder->tree->frames, process, &frame))
        *node = exp_tree_child(builder->tree, EXP_NODE_ROOT, &frame);
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
        *node = exp_tree_child(builder->tree, parent, &frame);
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
        node = exp_tree_child(tree, node, &display);
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

uint64_t exp_sample_weight(
    const struct prof_profile *profile, const struct exp_options *options,
    const struct prof_sample *sample)
{
    uint32_t types = prof_profile_value_type_count(profile);
    if (options->unit == EXP_UNIT_SAMPLES || types == 0)
        return exp_sample_is_account(profile, sample) ? 0 : sample->count;
    return options->value < types ? sample->values[options->value] : 0;
}

static bool add_sample(struct builder *builder, uint32_t id)
{
    struct exp_tree *tree = builder->tree;
    const struct prof_sample *sample = prof_profile_sample(tree->profile, id);
    uint32_t process =
        prof_profile_thread(tree->profile, sample->thread)->process;
    bool is_off_cpu = prof_state_is_off_cpu(sample->state);
    bool is_below_thread =
        builder->options->with_threads &&
        (is_off_cpu || !exp_sample_is_account(tree->profile, sample));
    uint32_t root = is_below_thread ? thread_node(builder, sample->thread)
                                    : process_node(builder, process);
    if (root == EXP_NODE_NONE)
        return false;

    uint32_t leaf = root;
    uint64_t weight =
        exp_sample_weight(tree->profile, builder->options, sample);
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
    if (is_off_cpu)
        node->off = exp_text_add(node->off, weight);
    tree->leaves[id] = leaf;
    return true;
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

/* ---- all of it ---- */

/* `count` ids that are all none; never NULL for lack of rows. */
static uint32_t *none_ids(uint32_t count)
{
    size_t bytes = ((size_t)count + 1) * sizeof(uint32_t);
    uint32_t *ids = malloc(bytes);
    if (ids != NULL)
        memset(ids, 0xff, bytes);
    return ids;
}

static bool is_wanted(const struct builder *builder, uint32_t id)
{
    const struct prof_profile *profile = builder->tree->profile;
    uint32_t tid = builder->options->only_tid;
    const struct prof_sample *sample = prof_profile_sample(profile, id);
    return tid == 0 || prof_profile_thread(profile, sample->thread)->tid == tid;
}

static bool add_samples(struct builder *builder)
{
    struct exp_tree *tree = builder->tree;
    const struct prof_profile *profile = tree->profile;
    uint32_t samples = prof_profile_sample_count(profile);
    builder->process_nodes = none_ids(prof_profile_process_count(profile));
    builder->thread_nodes = none_ids(prof_profile_thread_count(profile));
    tree->leaves = none_ids(samples);
    if (!builder->process_nodes || !builder->thread_nodes || !tree->leaves)
        return false;
    for (uint32_t id = 0; id < samples; id++) {
        if (is_wanted(builder, id) && !add_sample(builder, id))
            return false;
    }
    return true;
}

/* Expand every sample below the root; false when out of memory. */
static bool fill(struct exp_tree *tree, const struct exp_options *options)
{
    struct builder builder = {
        .tree = tree,
        .options = options,
        .visit = {.row_bytes = sizeof(struct visit)},
        .path = {.row_bytes = sizeof(uint32_t)}};
    bool is_done = add_samples(&builder) && choose_lines(&builder);
    table_fini(&builder.visit);
    table_fini(&builder.path);
    index_fini(&builder.visit_index);
    free(builder.process_nodes);
    free(builder.thread_nodes);
    return is_done;
}

/* ---- the tree ---- */

static bool build(struct exp_tree *tree, const struct exp_options *options)
{
    struct exp_frame root;
    tree->frames = exp_frames_create(tree->profile);
    return tree->frames != NULL &&
           exp_frames_named(tree->frames, EXP_KIND_PROCESS, "all", &root) &&
           exp_tree_child(tree, EXP_NODE_NONE, &root) == EXP_NODE_ROOT &&
           fill(tree, options) && exp_tree_link(tree);
}

struct exp_tree *exp_tree_create(
    const struct prof_profile *profile, const struct exp_options *options)
{
    struct exp_tree *tree = malloc(sizeof *tree);
    if (tree == NULL)
        return NULL;
    *tree = (struct exp_tree){
        .profile = profile, .node = {.row_bytes = sizeof(struct exp_node)}};
    if (!build(tree, options)) {
        exp_tree_destroy(tree);
        return NULL;
    }
    return tree;
}
