/*
 * Callers and callees of a function.
 *
 * Only the outermost call of the function on each path counts, so that both
 * directions add up to its total: what called that call, and what it called
 * first that is not the function again.
 */
#include "exporters/report_model.h"

#include <stdlib.h>
#include <string.h>

#include "exporters/text.h"

/* The name as it is, or up to its parameters. */
static bool is_named(const char *name, const char *wanted)
{
    size_t bytes = strlen(wanted);
    return strncmp(name, wanted, bytes) == 0 &&
           (name[bytes] == '\0' || name[bytes] == '(');
}

static bool is_part(const char *name, const char *wanted)
{
    return strstr(name, wanted) != NULL;
}

static void match(
    struct exp_relation *relation, const struct exp_report *report,
    bool (*is_wanted)(const char *, const char *))
{
    for (uint32_t at = 0; at < report->function_count; at++) {
        uint32_t id = report->by_self[at];
        const char *name =
            exp_report_row_name(report, exp_report_row(report, id));
        relation->is_match[id] = is_wanted(name, relation->wanted);
        relation->match_count += relation->is_match[id];
    }
}

static void add(struct exp_relation *relation, uint32_t row, uint64_t value)
{
    relation->values[row] = exp_text_add(relation->values[row], value);
}

/* Give what is below an outermost call to the first others on each path. */
static void add_callees(
    struct exp_relation *relation, const struct exp_report *report,
    uint32_t outermost)
{
    uint32_t end = exp_tree_skip(report->tree, outermost);
    uint32_t id = outermost;
    while (id != end) {
        const struct exp_node *node = exp_tree_node(report->tree, id);
        uint32_t row = report->node_rows[id];
        if (relation->is_match[row]) {
            relation->self = exp_text_add(relation->self, node->self);
            id = exp_tree_next(report->tree, id);
        } else {
            add(relation, row, node->total);
            id = exp_tree_skip(report->tree, id);
        }
    }
}

static void collect(
    struct exp_relation *relation, const struct exp_report *report,
    enum exp_direction direction)
{
    uint32_t id = EXP_NODE_ROOT;
    while (id != EXP_NODE_NONE) {
        if (!relation->is_match[report->node_rows[id]]) {
            id = exp_tree_next(report->tree, id);
            continue;
        }
        const struct exp_node *node = exp_tree_node(report->tree, id);
        relation->total = exp_text_add(relation->total, node->total);
        if (direction == EXP_CALLERS)
            add(relation, report->node_rows[node->parent], node->total);
        else
            add_callees(relation, report, id);
        id = exp_tree_skip(report->tree, id);
    }
}

struct order {
    const struct exp_report *report;
    const uint64_t *values;
};

static int compare(const void *left, const void *right, void *context)
{
    const struct order *order = context;
    uint32_t a = *(const uint32_t *)left;
    uint32_t b = *(const uint32_t *)right;
    uint64_t value_a = order->values[a];
    uint64_t value_b = order->values[b];
    if (value_a != value_b)
        return value_a < value_b ? 1 : -1;
    return strcmp(
        exp_report_row_name(order->report, exp_report_row(order->report, a)),
        exp_report_row_name(order->report, exp_report_row(order->report, b)));
}

bool exp_relation_init(
    struct exp_relation *relation, const struct exp_report *report,
    const char *wanted, enum exp_direction direction)
{
    uint32_t count = report->row.count;
    *relation = (struct exp_relation){
        .wanted = wanted,
        .is_match = calloc(count, sizeof *relation->is_match),
        .values = calloc(count, sizeof *relation->values),
        .rows = malloc(count * sizeof *relation->rows)};
    if (!relation->is_match || !relation->values || !relation->rows)
        return false;

    match(relation, report, is_named);
    if (relation->match_count == 0)
        match(relation, report, is_part);
    collect(relation, report, direction);

    for (uint32_t id = 0; id < count; id++) {
        if (relation->values[id] > 0)
            relation->rows[relation->row_count++] = id;
    }
    struct order order = {.report = report, .values = relation->values};
    qsort_r(
        relation->rows, relation->row_count, sizeof *relation->rows, compare,
        &order);
    return true;
}

void exp_relation_fini(struct exp_relation *relation)
{
    free(relation->is_match);
    free(relation->values);
    free(relation->rows);
}
