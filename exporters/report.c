/* The report's figures. */
#include "exporters/report.h"

#include <stdlib.h>
#include <string.h>

#include "exporters/report_model.h"
#include "exporters/text.h"

static struct exp_report_row *row_at(
    const struct exp_report *report, uint32_t id)
{
    return table_row(&report->row, id);
}

static bool row_equal(const void *owner, uint32_t id, const void *key)
{
    const struct exp_report_row *row = row_at(owner, id);
    const struct exp_report_row *wanted = key;
    return row->name == wanted->name && row->module == wanted->module;
}

/* The row of a node's function; TABLE_NONE when out of memory. */
static uint32_t row_for(
    struct exp_report *report, const struct exp_frame *frame)
{
    struct exp_report_row row = {
        .name = frame->name, .module = frame->module, .kind = frame->kind};
    uint32_t hash = hash_u64((uint64_t)row.module << 32 | row.name);
    uint32_t id = index_find(&report->row_index, hash, row_equal, report, &row);
    if (id != TABLE_NONE)
        return id;
    id = table_add(&report->row, &row);
    if (id == TABLE_NONE || !index_add(&report->row_index, hash, id))
        return TABLE_NONE;
    return id;
}

static bool assign_rows(struct exp_report *report)
{
    uint32_t count = exp_tree_count(report->tree);
    report->node_rows = malloc(count * sizeof *report->node_rows);
    if (report->node_rows == NULL)
        return false;
    for (uint32_t id = 0; id < count; id++) {
        const struct exp_node *node = exp_tree_node(report->tree, id);
        report->node_rows[id] = row_for(report, &node->frame);
        if (report->node_rows[id] == TABLE_NONE)
            return false;
    }
    return true;
}

/* ---- self and total ---- */

static void add_self(struct exp_report_row *row, const struct exp_node *node)
{
    row->self = exp_text_add(row->self, node->self);
    if (row->file == 0 || node->self > row->line_weight) {
        row->file = node->frame.file;
        row->line = node->frame.line;
        row->line_weight = node->self;
    }
}

/*
 * Walk the tree with the rows of the current path at hand. A function that is
 * already on the path has its total from the outer call.
 */
static bool sum_rows(struct exp_report *report)
{
    const struct exp_tree *tree = report->tree;
    uint32_t *path = malloc(((size_t)exp_tree_depth(tree) + 1) * sizeof *path);
    uint32_t *calls = calloc(report->row.count, sizeof *calls);
    bool is_done = path && calls;
    uint32_t length = 0;
    for (uint32_t id = EXP_NODE_ROOT; is_done && id != EXP_NODE_NONE;
         id = exp_tree_next(tree, id)) {
        const struct exp_node *node = exp_tree_node(tree, id);
        while (length > node->depth)
            calls[path[--length]]--;

        uint32_t row = report->node_rows[id];
        add_self(row_at(report, row), node);
        if (calls[row]++ == 0) {
            uint64_t *total = &row_at(report, row)->total;
            *total = exp_text_add(*total, node->total);
        }
        path[length++] = row;
    }
    free(calls);
    free(path);
    return is_done;
}

/* ---- order ---- */

static int descending(uint64_t a, uint64_t b)
{
    return (a < b) - (a > b);
}

/* Equal figures stand in the order of their names, so that output is stable. */
static int compare_texts(
    const struct exp_report *report, const struct exp_report_row *a,
    const struct exp_report_row *b)
{
    int order =
        strcmp(exp_report_row_name(report, a), exp_report_row_name(report, b));
    return order ? order
                 : strcmp(
                       exp_report_row_module(report, a),
                       exp_report_row_module(report, b));
}

static int compare_self(const void *left, const void *right, void *report)
{
    const struct exp_report_row *a = row_at(report, *(const uint32_t *)left);
    const struct exp_report_row *b = row_at(report, *(const uint32_t *)right);
    int order = descending(a->self, b->self);
    if (order == 0)
        order = descending(a->total, b->total);
    return order ? order : compare_texts(report, a, b);
}

static int compare_total(const void *left, const void *right, void *report)
{
    const struct exp_report_row *a = row_at(report, *(const uint32_t *)left);
    const struct exp_report_row *b = row_at(report, *(const uint32_t *)right);
    int order = descending(a->total, b->total);
    return order ? order : compare_texts(report, a, b);
}

static bool is_function(const struct exp_report_row *row)
{
    return row->total > 0 && row->kind != EXP_KIND_PROCESS &&
           row->kind != EXP_KIND_THREAD;
}

static bool sort_functions(struct exp_report *report)
{
    size_t bytes = (size_t)report->row.count * sizeof(uint32_t);
    report->by_self = malloc(bytes);
    report->by_total = malloc(bytes);
    if (report->by_self == NULL || report->by_total == NULL)
        return false;

    uint32_t count = 0;
    for (uint32_t id = 0; id < report->row.count; id++) {
        if (is_function(row_at(report, id)))
            report->by_self[count++] = id;
    }
    report->function_count = count;
    memcpy(report->by_total, report->by_self, count * sizeof(uint32_t));
    qsort_r(report->by_self, count, sizeof(uint32_t), compare_self, report);
    qsort_r(report->by_total, count, sizeof(uint32_t), compare_total, report);
    return true;
}

/* ---- the report ---- */

static void sum_states(struct exp_report *report)
{
    const struct prof_profile *profile = report->profile;
    for (uint32_t id = 0; id < prof_profile_sample_count(profile); id++) {
        const struct prof_sample *sample = prof_profile_sample(profile, id);
        uint64_t *total = &report->states[sample->state];
        *total = exp_text_add(
            *total, exp_sample_weight(profile, report->options, sample));
    }
}

struct exp_report *exp_report_create(
    const struct prof_profile *profile, const struct exp_options *options)
{
    struct exp_report *report = malloc(sizeof *report);
    if (report == NULL)
        return NULL;
    *report = (struct exp_report){
        .profile = profile,
        .options = options,
        .tree = exp_tree_create(profile, options),
        .quality = exp_quality_of(profile),
        .row = {.row_bytes = sizeof(struct exp_report_row)}};
    if (report->tree == NULL || !assign_rows(report) || !sum_rows(report) ||
        !sort_functions(report)) {
        exp_report_destroy(report);
        return NULL;
    }
    sum_states(report);
    return report;
}

void exp_report_destroy(struct exp_report *report)
{
    if (report == NULL)
        return;
    exp_tree_destroy(report->tree);
    table_fini(&report->row);
    index_fini(&report->row_index);
    free(report->node_rows);
    free(report->by_self);
    free(report->by_total);
    free(report);
}

const struct exp_report_row *exp_report_row(
    const struct exp_report *report, uint32_t id)
{
    return row_at(report, id);
}

const char *exp_report_row_name(
    const struct exp_report *report, const struct exp_report_row *row)
{
    return exp_tree_name(report->tree, row->name);
}

const char *exp_report_row_module(
    const struct exp_report *report, const struct exp_report_row *row)
{
    if (row->module == PROF_NONE)
        return "";
    return prof_profile_text(
        report->profile,
        prof_profile_module(report->profile, row->module)->path);
}

const char *exp_report_row_file(
    const struct exp_report *report, const struct exp_report_row *row)
{
    return prof_profile_text(report->profile, row->file);
}

uint64_t exp_report_total(const struct exp_report *report)
{
    return exp_tree_node(report->tree, EXP_NODE_ROOT)->total;
}

static const struct prof_value_type *value_type(const struct exp_report *report)
{
    uint32_t value = report->options->value;
    if (report->options->unit == EXP_UNIT_SAMPLES ||
        value >= prof_profile_value_type_count(report->profile))
        return NULL;
    return prof_profile_value_type(report->profile, value);
}

const char *exp_report_value_name(const struct exp_report *report)
{
    const struct prof_value_type *type = value_type(report);
    return type ? prof_profile_text(report->profile, type->name) : "samples";
}

const char *exp_report_unit(const struct exp_report *report)
{
    const struct prof_value_type *type = value_type(report);
    return type ? prof_profile_text(report->profile, type->unit) : "count";
}
