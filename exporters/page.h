/*
 * What a flame graph page is made of, whatever carries it: the drawn part of
 * a call tree, the head lines, and the data that the folder flamegraph reads.
 *
 * The data is one JSON object (EXP_JSON_MARKUP):
 *
 *   title, command, facts, losses: text     is_good, is_icicle: boolean
 *   unit: text    period: of the clock in ns, 0 unknown
 *   kinds, names, modules, files: [text]    kinds in the order of exp_kind
 *   frames: 5 numbers each: name, 2 * kind + is_inlined, module + 1, file + 1,
 *           2 * line + has_other_lines       0: unknown
 *   nodes:  4 numbers each, callers first: how many levels above the last
 *           node's child its place is, frame, total, self
 */
#ifndef EXPORTERS_PAGE_H
#define EXPORTERS_PAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "exporters/options.h"
#include "profiler/base/table.h"

/* Frames below a tenth of a pixel of this width are not drawn. */
#define EXP_PAGE_WIDTH 1200

struct exp_tree;
struct exp_writer;
struct prof_profile;

/* One drawn frame, callers first. */
struct exp_cell {
    uint32_t node;  /* of the tree */
    uint64_t start; /* values to the left of it; see exp_page_create() */
};

struct exp_page {
    const struct prof_profile *profile;     /* borrowed */
    const struct exp_options *options;      /* borrowed */
    struct exp_tree *tree;                  /* owned */
    struct table cell;                      /* struct exp_cell */
    uint32_t depth;                         /* of the deepest cell */
    char *title, *command, *facts, *losses; /* head lines, clean; owned */
    bool is_good;                           /* nothing was lost */
};

/*
 * Build the tree and choose what is drawn. Drawn siblings stand side by side
 * from their caller's left edge; what is too small to draw leaves its width
 * free at the right. NULL when out of memory.
 */
struct exp_page *exp_page_create(
    const struct prof_profile *profile, const struct exp_options *options);
void exp_page_destroy(struct exp_page *page);

/* "nanoseconds", "bytes", or what is counted: "samples". */
const char *exp_page_unit(const struct exp_page *page);

/* The data block. */
void exp_page_write_data(
    const struct exp_page *page, struct exp_writer *writer);

/* The script and the style sheet, compiled in; NUL-terminated. */
extern const char exp_flamegraph_js[];
extern const char exp_flamegraph_css[];

#endif
