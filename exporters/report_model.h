/* What the report's renderings share; see exporters/report.h. */
#ifndef EXPORTERS_REPORT_MODEL_H
#define EXPORTERS_REPORT_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "exporters/quality.h"
#include "exporters/report.h"
#include "exporters/tree.h"
#include "profiler/base/table.h"

/* A function, or a process or thread, which are callers but no functions. */
struct exp_report_row {
    uint32_t name;   /* of the tree's names */
    uint32_t module; /* of the profile, or PROF_NONE */
    enum exp_kind kind;
    uint32_t file, line; /* where the node with most self value stands */
    uint64_t self, total;
    uint64_t line_weight; /* self value of that node */
};

struct exp_report {
    const struct prof_profile *profile; /* borrowed */
    const struct exp_options *options;  /* borrowed */
    struct exp_tree *tree;
    struct exp_quality quality;
    uint64_t states[PROF_STATE_COUNT]; /* of enum prof_state */
    struct table row;                  /* struct exp_report_row */
    struct index row_index;
    uint32_t *node_rows;          /* of each node */
    uint32_t *by_self, *by_total; /* functions alone, largest first */
    uint32_t function_count;
};

/* Functions one call away from those that a text names. */
struct exp_relation {
    const char *wanted;
    bool *is_match;   /* of each row */
    uint64_t *values; /* of each row */
    uint32_t *rows;   /* those with a value, largest first */
    uint32_t row_count;
    uint32_t match_count;
    uint64_t self, total; /* of the matches together */
};

enum exp_direction { EXP_CALLERS, EXP_CALLEES };

/* False when out of memory; fini is due in any case. */
bool exp_relation_init(
    struct exp_relation *relation, const struct exp_report *report,
    const char *wanted, enum exp_direction direction);
void exp_relation_fini(struct exp_relation *relation);

const struct exp_report_row *exp_report_row(
    const struct exp_report *report, uint32_t id);

/* The texts of a row; "" where unknown. */
const char *exp_report_row_name(
    const struct exp_report *report, const struct exp_report_row *row);
const char *exp_report_row_module(
    const struct exp_report *report, const struct exp_report_row *row);
const char *exp_report_row_file(
    const struct exp_report *report, const struct exp_report_row *row);

/* The sum of everything, and the name and unit of what is summed. */
uint64_t exp_report_total(const struct exp_report *report);
const char *exp_report_value_name(const struct exp_report *report);
const char *exp_report_unit(const struct exp_report *report);

#endif
