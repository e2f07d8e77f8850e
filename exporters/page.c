/* What a flame graph page is made of. */
#include "exporters/page.h"

#include <stdlib.h>
#include <string.h>

#include "exporters/quality.h"
#include "exporters/text.h"
#include "exporters/tree.h"
#include "exporters/writer.h"

enum { DRAWN_PARTS = EXP_PAGE_WIDTH * 10 }; /* a tenth of a pixel */

/* ---- what is drawn ---- */

static bool is_drawn(const struct exp_tree *tree, uint32_t id)
{
    uint64_t whole = exp_tree_node(tree, EXP_NODE_ROOT)->total;
    uint64_t total = exp_tree_node(tree, id)->total;
    return id == EXP_NODE_ROOT || (total > 0 && total >= whole / DRAWN_PARTS);
}

static bool choose_cells(struct exp_page *page)
{
    const struct exp_tree *tree = page->tree;
    /* Where the next child of the cell at each depth begins. */
    uint64_t *next = calloc((size_t)exp_tree_depth(tree) + 1, sizeof *next);
    bool is_done = next != NULL;
    for (uint32_t id = EXP_NODE_ROOT; is_done && id != EXP_NODE_NONE;) {
        if (!is_drawn(tree, id)) {
            id = exp_tree_skip(tree, id);
            continue;
        }
        const struct exp_node *node = exp_tree_node(tree, id);
        struct exp_cell cell = {.node = id};
        if (node->depth > 0) {
            cell.start = next[node->depth - 1];
            next[node->depth - 1] = exp_text_add(cell.start, node->total);
        }
        next[node->depth] = cell.start;
        if (node->depth > page->depth)
            page->depth = node->depth;
        is_done = table_add(&page->cell, &cell) != TABLE_NONE;
        id = exp_tree_next(tree, id);
    }
    free(next);
    return is_done;
}

/* ---- head lines ---- */

static const char *command_line(const struct exp_page *page)
{
    return prof_profile_text(
        page->profile, prof_profile_read_origin(page->profile)->command_line);
}

/* The type that is shown, or NULL: samples are counted. */
static const struct prof_value_type *value_type(const struct exp_page *page)
{
    uint32_t value = page->options->value;
    if (page->options->unit == EXP_UNIT_SAMPLES ||
        value >= prof_profile_value_type_count(page->profile))
        return NULL;
    return prof_profile_value_type(page->profile, value);
}

static const char *value_name(const struct exp_page *page)
{
    const struct prof_value_type *type = value_type(page);
    const char *name =
        type ? prof_profile_text(page->profile, type->name) : "samples";
    if (strcmp(name, "cpu") == 0)
        return "CPU time";
    return strcmp(name, "wall") == 0 ? "wall-clock time" : name;
}

static void write_title(const struct exp_page *page, struct exp_writer *writer)
{
    if (page->options->title != NULL && *page->options->title) {
        exp_write_text(writer, page->options->title);
        return;
    }
    /* The program: the last part of the command's first word. */
    const char *command = command_line(page);
    size_t bytes = strcspn(command, " ");
    const char *slash = memrchr(command, '/', bytes);
    if (slash != NULL) {
        bytes -= (size_t)(slash + 1 - command);
        command = slash + 1;
    }
    if (bytes > 0)
        exp_write(writer, command, bytes);
    else
        exp_write_text(writer, "Flame graph");
    exp_write_text(writer, ": ");
    exp_write_text(writer, value_name(page));
}

const char *exp_page_unit(const struct exp_page *page)
{
    const struct prof_value_type *type = value_type(page);
    if (type == NULL)
        return "samples";
    const char *unit = prof_profile_text(page->profile, type->unit);
    return strcmp(unit, "count") == 0
               ? prof_profile_text(page->profile, type->name)
               : unit;
}

/* With the sentences that were noted behind it. */
static void write_losses(
    const struct prof_profile *profile, const struct exp_quality *quality,
    struct exp_writer *writer)
{
    exp_quality_write_losses(quality, writer);
    for (uint32_t i = 0; i < prof_profile_note_count(profile); i++) {
        exp_write_text(writer, "; ");
        exp_write_clean(
            writer,
            prof_profile_text(profile, prof_profile_note(profile, i)->text));
    }
}

static bool make_head(struct exp_page *page)
{
    struct exp_quality quality = exp_quality_of(page->profile);
    page->is_good = exp_quality_is_good(&quality);

    struct exp_writer *title = exp_writer_create_memory();
    struct exp_writer *command = exp_writer_create_memory();
    struct exp_writer *facts = exp_writer_create_memory();
    struct exp_writer *losses = exp_writer_create_memory();
    if (title != NULL)
        write_title(page, title);
    if (command != NULL)
        exp_write_clean(command, command_line(page));
    if (facts != NULL)
        exp_quality_write_facts(&quality, page->profile, facts);
    if (losses != NULL)
        write_losses(page->profile, &quality, losses);
    page->title = exp_writer_take(title);
    page->command = exp_writer_take(command);
    page->facts = exp_writer_take(facts);
    page->losses = exp_writer_take(losses);
    return page->title && page->command && page->facts && page->losses;
}

/* ---- the page ---- */

struct exp_page *exp_page_create(
    const struct prof_profile *profile, const struct exp_options *options)
{
    struct exp_page *page = malloc(sizeof *page);
    if (page == NULL)
        return NULL;
    *page = (struct exp_page){
        .profile = profile,
        .options = options,
        .tree = exp_tree_create(profile, options),
        .cell = {.row_bytes = sizeof(struct exp_cell)}};
    if (page->tree == NULL || !choose_cells(page) || !make_head(page)) {
        exp_page_destroy(page);
        return NULL;
    }
    return page;
}

void exp_page_destroy(struct exp_page *page)
{
    if (page == NULL)
        return;
    exp_tree_destroy(page->tree);
    table_fini(&page->cell);
    free(page->title);
    free(page->command);
    free(page->facts);
    free(page->losses);
    free(page);
}
