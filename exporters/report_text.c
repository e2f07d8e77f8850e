/* The report as text, for a terminal or a pipe. */
#include "exporters/report_model.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "exporters/text.h"
#include "exporters/writer.h"

enum { FIGURE_COLUMNS = 10, MIN_NAME_COLUMNS = 20, TAIL_BYTES = 512 };

struct text {
    const struct exp_report *report;
    const struct exp_report_view *view;
    struct exp_writer *writer;
};

/* ---- cells ---- */

/* "   1.234 s   41.0 %": a value and its share of everything. */
static void write_figure(const struct text *text, uint64_t value)
{
    char figure[EXP_TEXT_VALUE_BYTES];
    exp_write_format(
        text->writer, "%*s %6.2f %%  ", FIGURE_COLUMNS,
        exp_text_value(value, exp_report_unit(text->report), figure),
        exp_text_percent(value, exp_report_total(text->report)));
}

static void write_clipped(
    const struct text *text, const char *words, size_t columns)
{
    size_t bytes = exp_text_fit(words, columns);
    if (words[bytes] == '\0') {
        exp_write_text(text->writer, words);
        return;
    }
    bytes = exp_text_fit(words, columns > 3 ? columns - 3 : 0);
    exp_write(text->writer, words, bytes);
    exp_write_text(text->writer, "...");
}

/* "  (libz.so.1, deflate.c:123)", or nothing where nothing is known. */
static void make_tail(
    const struct exp_report *report, const struct exp_report_row *row,
    char tail[static TAIL_BYTES])
{
    const char *module = exp_text_base_name(exp_report_row_module(report, row));
    const char *file = exp_text_base_name(exp_report_row_file(report, row));
    char place[TAIL_BYTES / 2] = "";
    if (*file && row->line > 0)
        (void)snprintf(place, sizeof place, "%.200s:%" PRIu32, file, row->line);
    else
        (void)snprintf(place, sizeof place, "%.200s", file);

    tail[0] = '\0';
    if (*module || *place)
        (void)snprintf(
            tail, TAIL_BYTES, "  (%.200s%s%s)", module,
            *module && *place ? ", " : "", place);
}

/*
 * The name, then where it is. The name comes first when room is short: a tail
 * that leaves it less than MIN_NAME_COLUMNS is dropped.
 */
static void write_function(
    const struct text *text, const struct exp_report_row *row, size_t used)
{
    const char *name = exp_report_row_name(text->report, row);
    char tail[TAIL_BYTES];
    make_tail(text->report, row, tail);
    if (text->view->columns == 0) {
        exp_write_text(text->writer, name);
        exp_write_clean(text->writer, tail);
    } else {
        size_t columns = text->view->columns;
        size_t room = columns > used + MIN_NAME_COLUMNS ? columns - used
                                                        : MIN_NAME_COLUMNS;
        size_t tail_columns = exp_text_columns(tail);
        size_t name_columns = exp_text_columns(name);
        bool has_tail = room >= tail_columns + MIN_NAME_COLUMNS ||
                        room >= tail_columns + name_columns;
        write_clipped(text, name, has_tail ? room - tail_columns : room);
        if (has_tail)
            exp_write_clean(text->writer, tail);
    }
    exp_write_char(text->writer, '\n');
}

/* ---- tables ---- */

static uint32_t shown(const struct text *text, uint32_t count)
{
    uint32_t top = text->view->top;
    return top > 0 && top < count ? top : count;
}

static void write_heading(
    const struct text *text, const char *title, uint32_t count)
{
    exp_write_format(text->writer, "\n%s", title);
    if (shown(text, count) < count)
        exp_write_format(
            text->writer, " (%" PRIu32 " of %" PRIu32 ")", shown(text, count),
            count);
    exp_write_char(text->writer, '\n');
}

static void write_functions(
    const struct text *text, const char *title, const uint32_t *rows)
{
    uint32_t count = text->report->function_count;
    write_heading(text, title, count);
    exp_write_format(
        text->writer, "%*s %*s  function\n", FIGURE_COLUMNS + 9, "self      ",
        FIGURE_COLUMNS + 10, "total      ");
    for (uint32_t at = 0; at < shown(text, count); at++) {
        const struct exp_report_row *row =
            exp_report_row(text->report, rows[at]);
        write_figure(text, row->self);
        write_figure(text, row->total);
        write_function(text, row, 2 * (FIGURE_COLUMNS + 11));
    }
}

/* Where all time was spent running, there is nothing to tell apart. */
static void write_states(const struct text *text)
{
    const struct exp_report *report = text->report;
    bool has_off_cpu = false;
    for (int state = 0; state < PROF_STATE_COUNT; state++)
        has_off_cpu |=
            prof_state_is_off_cpu(state) && report->states[state] > 0;
    if (!has_off_cpu)
        return;
    exp_write_text(text->writer, "\nOn and off CPU\n");
    for (int state = 0; state < PROF_STATE_COUNT; state++) {
        if (report->states[state] == 0)
            continue;
        write_figure(text, report->states[state]);
        exp_write_format(text->writer, "%s\n", prof_state_text(state));
    }
}

/* A single process is the whole, and needs no table. */
static void write_processes(const struct text *text)
{
    const struct exp_tree *tree = text->report->tree;
    if (prof_profile_process_count(text->report->profile) < 2)
        return;
    exp_write_text(text->writer, "\nProcesses\n");
    for (uint32_t id = exp_tree_node(tree, EXP_NODE_ROOT)->first_child;
         id != EXP_NODE_NONE; id = exp_tree_node(tree, id)->next_sibling) {
        const struct exp_node *node = exp_tree_node(tree, id);
        if (node->frame.kind != EXP_KIND_PROCESS)
            continue;
        write_figure(text, node->total);
        exp_write_text(text->writer, exp_tree_text(tree, id));
        exp_write_char(text->writer, '\n');
    }
}

static void write_matches(
    const struct text *text, const struct exp_relation *relation)
{
    exp_write_text(text->writer, " of '");
    exp_write_clean(text->writer, relation->wanted);
    if (relation->match_count == 0) {
        exp_write_text(text->writer, "': no function has this name\n");
        return;
    }
    char figure[EXP_TEXT_VALUE_BYTES];
    exp_write_format(
        text->writer, "' (%" PRIu32 " function%s, total %s)\n",
        relation->match_count, relation->match_count == 1 ? "" : "s",
        exp_text_value(relation->total, exp_report_unit(text->report), figure));
}

static void write_relation(
    const struct text *text, const char *wanted, enum exp_direction direction)
{
    if (wanted == NULL)
        return;
    struct exp_relation relation;
    if (!exp_relation_init(&relation, text->report, wanted, direction)) {
        exp_writer_fail(text->writer, STATUS_NO_MEMORY);
        exp_relation_fini(&relation);
        return;
    }
    exp_write_text(
        text->writer, direction == EXP_CALLERS ? "\nCallers" : "\nCallees");
    write_matches(text, &relation);
    if (relation.self > 0) {
        write_figure(text, relation.self);
        exp_write_text(text->writer, "(itself)\n");
    }
    for (uint32_t at = 0; at < shown(text, relation.row_count); at++) {
        uint32_t id = relation.rows[at];
        write_figure(text, relation.values[id]);
        write_function(
            text, exp_report_row(text->report, id), FIGURE_COLUMNS + 11);
    }
    exp_relation_fini(&relation);
}

/* ---- the report ---- */

static void write_head(const struct text *text)
{
    const struct exp_report *report = text->report;
    const char *command = prof_profile_text(
        report->profile,
        prof_profile_read_origin(report->profile)->command_line);
    if (*command) {
        exp_write_clean(text->writer, command);
        exp_write_char(text->writer, '\n');
    }
    exp_quality_write_facts(&report->quality, report->profile, text->writer);
    exp_write_char(text->writer, '\n');
    exp_quality_write_losses(&report->quality, text->writer);
    exp_write_char(text->writer, '\n');
    for (uint32_t i = 0; i < prof_profile_note_count(report->profile); i++) {
        exp_write_clean(
            text->writer,
            prof_profile_text(
                report->profile, prof_profile_note(report->profile, i)->text));
        exp_write_char(text->writer, '\n');
    }
}

void exp_report_write_text(
    const struct exp_report *report, const struct exp_report_view *view,
    struct exp_writer *writer)
{
    struct text text = {.report = report, .view = view, .writer = writer};
    write_head(&text);
    write_states(&text);
    write_processes(&text);
    write_functions(&text, "Top functions by self", report->by_self);
    write_functions(&text, "Top functions by total", report->by_total);
    write_relation(&text, view->callers, EXP_CALLERS);
    write_relation(&text, view->callees, EXP_CALLEES);
}
