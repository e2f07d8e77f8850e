/*
 * The flame graph as one SVG file.
 *
 *   <svg>
 *     <style>         flamegraph/style.css
 *     <g id="static"> the picture for viewers without scripts
 *     <script>        the data block, then the script of flamegraph/
 *   </svg>
 *
 * The static picture has the drawn frames row by row: a rectangle with a title
 * for each that a pointer could hit, a label where a text fits, and one path
 * for all the others of a kind. The script removes it and draws from the data,
 * at any width and zoom.
 */
#include "exporters/svg.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "exporters/page.h"
#include "exporters/text.h"
#include "exporters/tree.h"
#include "exporters/writer.h"

enum {
    ROW_HEIGHT = 18,
    BAR_HEIGHT = 3, /* of time off CPU */
    HEAD_HEIGHT = 100,
    MARGIN = 10,
    HEAD_COLUMNS = 164, /* of 7 pixels: what fits between the margins */
    TITLE_COLUMNS = 160,
    SHADES = 4,
    /* Cells of one depth: the narrow ones of each kind, and the wide ones. */
    LIST_WIDE = EXP_KIND_COUNT,
    LISTS,
};

/* A monospaced 12 pixel font: 0.6 em, and a little for wider ones. */
static const double COLUMN_WIDTH = 7.3;
static const double LABEL_PADDING = 6;
static const double WIDE = 2; /* pixels; narrower frames cannot be hit */

struct picture {
    const struct exp_page *page;
    struct exp_writer *writer;
    double scale; /* pixels for one unit of value */
    uint32_t
        *lists; /* the first cell of each, or TABLE_NONE; see make_lists() */
    uint32_t *next; /* the next cell of the same list */
};

/* ---- text ---- */

static void write_escaped(
    struct exp_writer *writer, const char *text, size_t bytes)
{
    const char *end = text + bytes;
    while (text < end) {
        uint32_t code_point = exp_text_clean(exp_text_next(&text));
        char encoded[EXP_TEXT_UTF8_BYTES];
        if (code_point == '<')
            exp_write_text(writer, "&lt;");
        else if (code_point == '>')
            exp_write_text(writer, "&gt;");
        else if (code_point == '&')
            exp_write_text(writer, "&amp;");
        else
            exp_write(writer, encoded, exp_text_encode(code_point, encoded));
    }
}

/* As much of a text as fits, with an ellipsis where it was cut. */
static void write_clipped(
    struct exp_writer *writer, const char *text, size_t columns)
{
    size_t bytes = exp_text_fit(text, columns);
    bool is_cut = text[bytes] != '\0';
    if (is_cut)
        bytes = exp_text_fit(text, columns - 1);
    write_escaped(writer, text, bytes);
    if (is_cut)
        exp_write_text(writer, "\u2026");
}

/* ---- frames ---- */

static char kind_letter(enum exp_kind kind)
{
    static const char letters[EXP_KIND_COUNT] = {
        [EXP_KIND_APPLICATION] = 'a', [EXP_KIND_LIBRARY] = 'l',
        [EXP_KIND_KERNEL] = 'k',      [EXP_KIND_RUNTIME] = 'r',
        [EXP_KIND_UNKNOWN] = 'u',     [EXP_KIND_ACCOUNT] = 'g',
        [EXP_KIND_PROCESS] = 'p',     [EXP_KIND_THREAD] = 't',
    };
    return letters[kind];
}

/* The same function has the same colour, here and in flamegraph/profile.js. */
static unsigned shade_of(const char *name)
{
    uint32_t hash = 0;
    for (const char *at = name; *at; at++)
        hash = hash * 31 + (unsigned char)*at;
    return (hash ^ hash >> 16) % SHADES;
}

static void write_title(const struct picture *picture, uint32_t node)
{
    const struct exp_tree *tree = picture->page->tree;
    uint64_t total = exp_tree_node(tree, node)->total;
    uint64_t whole = exp_tree_node(tree, EXP_NODE_ROOT)->total;
    const char *name = exp_tree_text(tree, node);
    const char *unit = exp_page_unit(picture->page);
    char value[EXP_TEXT_VALUE_BYTES];

    exp_write_text(picture->writer, "<title>");
    write_clipped(picture->writer, name, TITLE_COLUMNS);
    exp_write_text(picture->writer, "\n");
    exp_write_text(picture->writer, exp_text_value(total, unit, value));
    exp_write_format(
        picture->writer, ", %.2f %%", exp_text_percent(total, whole));
    uint64_t off = exp_tree_node(tree, node)->off;
    if (off > 0) {
        exp_write_text(picture->writer, "; off CPU ");
        exp_write_text(picture->writer, exp_text_value(off, unit, value));
    }
    exp_write_text(picture->writer, "</title>");
}

static void write_label(const struct picture *picture, uint32_t node, double x)
{
    const struct exp_tree *tree = picture->page->tree;
    double width = (double)exp_tree_node(tree, node)->total * picture->scale;
    double columns = (width - LABEL_PADDING) / COLUMN_WIDTH;
    if (columns < 3)
        return;
    exp_write_format(
        picture->writer, "<text x=\"%.1f\" y=\"13\">", x + LABEL_PADDING / 2);
    write_clipped(picture->writer, exp_tree_text(tree, node), (size_t)columns);
    exp_write_text(picture->writer, "</text>\n");
}

/* A bar at the foot of a frame, as long as what it spent off CPU. */
static void write_off_cpu(
    const struct picture *picture, const struct exp_node *node, double x)
{
    double width = (double)node->off * picture->scale;
    if (width < 0.1)
        return;
    exp_write_format(
        picture->writer,
        "<rect class=\"o\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" "
        "height=\"%d\"/>\n",
        x, ROW_HEIGHT - 1 - BAR_HEIGHT, width, BAR_HEIGHT);
}

/* A frame wide enough to point at. */
static void write_wide(const struct picture *picture, uint32_t at)
{
    const struct exp_page *page = picture->page;
    const struct exp_cell *cell = table_row(&page->cell, at);
    const struct exp_node *node = exp_tree_node(page->tree, cell->node);
    double x = (double)cell->start * picture->scale;

    exp_write_format(
        picture->writer,
        "<rect class=\"%c%u%s\" x=\"%.1f\" width=\"%.1f\" height=\"%d\">",
        kind_letter(node->frame.kind),
        shade_of(exp_tree_text(page->tree, cell->node)),
        node->frame.is_inlined ? " i" : "", x,
        (double)node->total * picture->scale, ROW_HEIGHT - 1);
    write_title(picture, cell->node);
    exp_write_text(picture->writer, "</rect>\n");
    write_off_cpu(picture, node, x);
    write_label(picture, cell->node, x);
}

static double width_of(const struct picture *picture, uint32_t at)
{
    const struct exp_cell *cell = table_row(&picture->page->cell, at);
    return (double)exp_tree_node(picture->page->tree, cell->node)->total *
           picture->scale;
}

/* The narrow frames of a row and a kind: one path, for the file's size. */
static void write_narrow(
    const struct picture *picture, uint32_t first, enum exp_kind kind)
{
    if (first == TABLE_NONE)
        return;
    exp_write_format(
        picture->writer, "<path class=\"%c0\" d=\"", kind_letter(kind));
    for (uint32_t at = first; at != TABLE_NONE; at = picture->next[at]) {
        const struct exp_cell *cell = table_row(&picture->page->cell, at);
        exp_write_text(picture->writer, "M");
        exp_write_tenths(picture->writer, (double)cell->start * picture->scale);
        exp_write_format(picture->writer, " 0v%dh", ROW_HEIGHT - 1);
        exp_write_tenths(picture->writer, fmax(width_of(picture, at), 0.1));
        exp_write_text(picture->writer, "V0z");
    }
    exp_write_text(picture->writer, "\"/>\n");
}

static void write_row(const struct picture *picture, const uint32_t *lists)
{
    for (int kind = 0; kind < EXP_KIND_COUNT; kind++)
        write_narrow(picture, lists[kind], kind);
    for (uint32_t at = lists[LIST_WIDE]; at != TABLE_NONE;
         at = picture->next[at])
        write_wide(picture, at);
}

/* Link the cells that are drawn together, left to right. */
static bool make_lists(struct picture *picture)
{
    const struct exp_page *page = picture->page;
    size_t bytes = ((size_t)page->depth + 1) * LISTS * sizeof *picture->lists;
    picture->lists = malloc(bytes);
    picture->next = malloc((size_t)page->cell.count * sizeof *picture->next);
    if (picture->lists == NULL || picture->next == NULL)
        return false;
    memset(picture->lists, 0xff, bytes);
    for (uint32_t at = page->cell.count; at-- > 0;) {
        const struct exp_cell *cell = table_row(&page->cell, at);
        const struct exp_node *node = exp_tree_node(page->tree, cell->node);
        uint32_t list = width_of(picture, at) < WIDE
                            ? (uint32_t)node->frame.kind
                            : LIST_WIDE;
        uint32_t *first = &picture->lists[(size_t)node->depth * LISTS + list];
        picture->next[at] = *first;
        *first = at;
    }
    return true;
}

static void write_rows(const struct picture *picture)
{
    const struct exp_page *page = picture->page;
    for (uint32_t depth = 0; depth <= page->depth; depth++) {
        uint32_t row = page->options->is_icicle ? depth : page->depth - depth;
        exp_write_format(
            picture->writer, "<g transform=\"translate(%d %llu)\">\n", MARGIN,
            HEAD_HEIGHT + (unsigned long long)row * ROW_HEIGHT);
        write_row(picture, picture->lists + (size_t)depth * LISTS);
        exp_write_text(picture->writer, "</g>\n");
    }
}

/* ---- the file ---- */

static void write_head_line(
    const struct picture *picture, const char *class, int y, const char *text)
{
    exp_write_format(
        picture->writer, "<text class=\"%s\" x=\"%d\" y=\"%d\">", class, MARGIN,
        y);
    write_clipped(picture->writer, text, HEAD_COLUMNS);
    exp_write_text(picture->writer, "</text>\n");
}

/* Lines across an address without a symbol, so that colour is not all. */
static const char HATCH[] =
    "<defs><pattern id=\"hatch\" width=\"6\" height=\"6\" "
    "patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\">"
    "<rect class=\"hatch-ground\" width=\"6\" height=\"6\"/>"
    "<rect class=\"hatch-line\" width=\"2\" height=\"6\"/>"
    "</pattern></defs>\n";

static void write_static(const struct picture *picture)
{
    const struct exp_page *page = picture->page;
    exp_write_text(picture->writer, "<g id=\"static\">\n");
    exp_write_text(picture->writer, HATCH);
    write_head_line(picture, "title", 28, page->title);
    write_head_line(picture, "command", 50, page->command);
    write_head_line(picture, "facts", 68, page->facts);
    write_head_line(picture, page->is_good ? "good" : "bad", 86, page->losses);
    write_rows(picture);
    exp_write_text(picture->writer, "</g>\n");
}

static void write_opening(const struct picture *picture)
{
    const struct exp_page *page = picture->page;
    unsigned long long height =
        HEAD_HEIGHT + ((unsigned long long)page->depth + 1) * ROW_HEIGHT +
        MARGIN;
    exp_write_text(
        picture->writer, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    exp_write_format(
        picture->writer,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"watchfire\" "
        "width=\"%d\" height=\"%llu\" viewBox=\"0 0 %d %llu\">\n<title>",
        EXP_PAGE_WIDTH, height, EXP_PAGE_WIDTH, height);
    write_escaped(picture->writer, page->title, strlen(page->title));
    exp_write_text(picture->writer, "</title>\n<style><![CDATA[\n");
    exp_write_text(picture->writer, exp_flamegraph_css);
    exp_write_text(picture->writer, "]]></style>\n");
}

static void write_script(const struct picture *picture)
{
    exp_write_text(
        picture->writer, "<script id=\"profile\" type=\"application/json\">");
    exp_page_write_data(picture->page, picture->writer);
    exp_write_text(picture->writer, "</script>\n<script><![CDATA[\n");
    exp_write_text(picture->writer, exp_flamegraph_js);
    exp_write_text(picture->writer, "]]></script>\n</svg>\n");
}

static void write_page(const struct exp_page *page, struct exp_writer *writer)
{
    uint64_t whole = exp_tree_node(page->tree, EXP_NODE_ROOT)->total;
    struct picture picture = {
        .page = page,
        .writer = writer,
        .scale = (EXP_PAGE_WIDTH - 2 * MARGIN) / (double)(whole ? whole : 1)};
    if (make_lists(&picture)) {
        write_opening(&picture);
        write_static(&picture);
        write_script(&picture);
    } else {
        exp_writer_fail(writer, STATUS_NO_MEMORY);
    }
    free(picture.lists);
    free(picture.next);
}

void exp_svg_write(
    const struct prof_profile *profile, const struct exp_options *options,
    struct exp_writer *writer)
{
    struct exp_page *page = exp_page_create(profile, options);
    if (page == NULL) {
        exp_writer_fail(writer, STATUS_NO_MEMORY);
        return;
    }
    write_page(page, writer);
    exp_page_destroy(page);
}
