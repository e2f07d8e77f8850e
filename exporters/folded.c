/* Folded stacks. */
#include "exporters/folded.h"

#include <stdlib.h>
#include <string.h>

#include "exporters/tree.h"
#include "exporters/writer.h"

struct folding {
    const struct exp_tree *tree;
    const struct exp_options *options;
    struct exp_writer *writer;
    uint32_t *path; /* the node at each depth of the current stack */
};

static void write_name(struct exp_writer *writer, const char *name, char space)
{
    while (*name) {
        size_t plain = strcspn(name, "; ");
        exp_write(writer, name, plain);
        name += plain;
        if (*name == '\0')
            break;
        exp_write_char(writer, *name++ == ';' ? ':' : space);
    }
}

static void write_frame(const struct folding *folding, uint32_t id)
{
    const struct exp_frame *frame = &exp_tree_node(folding->tree, id)->frame;
    bool is_process = frame->kind == EXP_KIND_PROCESS;
    write_name(
        folding->writer, exp_tree_text(folding->tree, id),
        is_process ? '_' : ' ');
    if (frame->kind == EXP_KIND_KERNEL)
        exp_write_text(folding->writer, "_[k]");
    else if (frame->is_inlined && folding->options->mark_inlined)
        exp_write_text(folding->writer, "_[i]");
}

static void write_stack(const struct folding *folding, uint32_t id)
{
    const struct exp_node *node = exp_tree_node(folding->tree, id);
    for (uint32_t depth = 1; depth <= node->depth; depth++) {
        if (depth > 1)
            exp_write_char(folding->writer, ';');
        write_frame(folding, folding->path[depth]);
    }
    exp_write_char(folding->writer, ' ');
    exp_write_u64(folding->writer, node->self);
    exp_write_char(folding->writer, '\n');
}

static void write_tree(struct folding *folding)
{
    const struct exp_tree *tree = folding->tree;
    folding->path =
        malloc(((size_t)exp_tree_depth(tree) + 1) * sizeof *folding->path);
    if (folding->path == NULL) {
        exp_writer_fail(folding->writer, STATUS_NO_MEMORY);
        return;
    }
    for (uint32_t id = EXP_NODE_ROOT; id != EXP_NODE_NONE;
         id = exp_tree_next(tree, id)) {
        const struct exp_node *node = exp_tree_node(tree, id);
        folding->path[node->depth] = id;
        if (node->self > 0)
            write_stack(folding, id);
    }
    free(folding->path);
}

void exp_folded_write(
    const struct prof_profile *profile, const struct exp_options *options,
    struct exp_writer *writer)
{
    struct exp_tree *tree = exp_tree_create(profile, options);
    if (tree == NULL) {
        exp_writer_fail(writer, STATUS_NO_MEMORY);
        return;
    }
    struct folding folding = {
        .tree = tree, .options = options, .writer = writer};
    write_tree(&folding);
    exp_tree_destroy(tree);
}
