/* The report as JSON, for a program; the shape is in exporters/report.h. */
#include "exporters/report_model.h"

#include <stdlib.h>

#include "exporters/json.h"
#include "exporters/writer.h"

struct rendering {
    const struct exp_report *report;
    const struct exp_report_view *view;
    struct exp_json json;
};

static void begin_object(struct rendering *rendering, const char *key)
{
    exp_json_key(&rendering->json, key);
    exp_json_begin_object(&rendering->json);
}

static void begin_array(struct rendering *rendering, const char *key)
{
    exp_json_key(&rendering->json, key);
    exp_json_begin_array(&rendering->json);
}

static void write_origin(struct rendering *rendering)
{
    const struct prof_profile *profile = rendering->report->profile;
    const struct prof_origin *origin = prof_profile_read_origin(profile);
    const struct {
        const char *key;
        uint32_t text;
    } texts[] = {
        {"command_line", origin->command_line},
        {"hostname", origin->hostname},
        {"os_release", origin->os_release},
        {"architecture", origin->architecture},
        {"clock", origin->clock},
    };
    begin_object(rendering, "origin");
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        exp_json_member_string(
            &rendering->json, texts[i].key,
            prof_profile_text(profile, texts[i].text));
    exp_json_member_u64(&rendering->json, "period_ns", origin->period_ns);
    exp_json_member_u64(
        &rendering->json, "start_unix_ns", origin->start_unix_ns);
    exp_json_member_u64(
        &rendering->json, "duration_ns",
        rendering->report->quality.duration_ns);
    exp_json_member_u64(&rendering->json, "cpu_count", origin->cpu_count);
    exp_json_end(&rendering->json);
}

static void write_value(struct rendering *rendering)
{
    begin_object(rendering, "value");
    exp_json_member_string(
        &rendering->json, "name", exp_report_value_name(rendering->report));
    exp_json_member_string(
        &rendering->json, "unit", exp_report_unit(rendering->report));
    exp_json_end(&rendering->json);
    exp_json_member_u64(
        &rendering->json, "total", exp_report_total(rendering->report));
}

static void write_losses(
    struct rendering *rendering, const struct exp_quality *quality)
{
    begin_array(rendering, "losses");
    for (int reason = 0; reason < PROF_LOSS_COUNT; reason++) {
        char name[EXP_LOSS_NAME_BYTES];
        if (quality->loss[reason] == 0)
            continue;
        exp_json_begin_object(&rendering->json);
        exp_json_member_string(
            &rendering->json, "reason", exp_loss_name(reason, name));
        exp_json_member_string(
            &rendering->json, "text", prof_loss_text(reason));
        exp_json_member_u64(&rendering->json, "count", quality->loss[reason]);
        exp_json_end(&rendering->json);
    }
    exp_json_end(&rendering->json);
}

static void write_quality(struct rendering *rendering)
{
    const struct exp_quality *quality = &rendering->report->quality;
    begin_object(rendering, "quality");
    exp_json_member_u64(&rendering->json, "samples", quality->samples);
    exp_json_member_u64(
        &rendering->json, "incomplete_samples", quality->incomplete_samples);
    exp_json_member_u64(
        &rendering->json, "lost_samples", quality->lost_samples);
    exp_json_member_u64(&rendering->json, "sampled_ns", quality->sampled_ns);
    exp_json_member_u64(&rendering->json, "account_ns", quality->account_ns);
    exp_json_member_u64(&rendering->json, "kernel_ns", quality->kernel_ns);
    write_losses(rendering, quality);
    exp_json_end(&rendering->json);
}

static void write_notes(struct rendering *rendering)
{
    const struct prof_profile *profile = rendering->report->profile;
    begin_array(rendering, "notes");
    for (uint32_t i = 0; i < prof_profile_note_count(profile); i++)
        exp_json_string(
            &rendering->json,
            prof_profile_text(profile, prof_profile_note(profile, i)->text));
    exp_json_end(&rendering->json);
}

static void write_states(struct rendering *rendering)
{
    begin_array(rendering, "states");
    for (int state = 0; state < PROF_STATE_COUNT; state++) {
        if (rendering->report->states[state] == 0)
            continue;
        exp_json_begin_object(&rendering->json);
        exp_json_member_string(
            &rendering->json, "state", prof_state_text(state));
        exp_json_member_u64(
            &rendering->json, "total", rendering->report->states[state]);
        exp_json_end(&rendering->json);
    }
    exp_json_end(&rendering->json);
}

static void write_processes(struct rendering *rendering)
{
    const struct exp_tree *tree = rendering->report->tree;
    begin_array(rendering, "processes");
    for (uint32_t id = exp_tree_node(tree, EXP_NODE_ROOT)->first_child;
         id != EXP_NODE_NONE; id = exp_tree_node(tree, id)->next_sibling) {
        const struct exp_node *node = exp_tree_node(tree, id);
        if (node->frame.kind != EXP_KIND_PROCESS)
            continue;
        exp_json_begin_object(&rendering->json);
        exp_json_member_string(
            &rendering->json, "name", exp_tree_text(tree, id));
        exp_json_member_u64(&rendering->json, "total", node->total);
        exp_json_end(&rendering->json);
    }
    exp_json_end(&rendering->json);
}

/* The members that say which function it is. */
static void write_identity(
    struct rendering *rendering, const struct exp_report_row *row)
{
    const struct exp_report *report = rendering->report;
    exp_json_member_string(
        &rendering->json, "name", exp_report_row_name(report, row));
    exp_json_member_string(&rendering->json, "kind", exp_kind_text(row->kind));
    exp_json_member_string(
        &rendering->json, "module", exp_report_row_module(report, row));
    exp_json_member_string(
        &rendering->json, "file", exp_report_row_file(report, row));
    exp_json_member_u64(&rendering->json, "line", row->line);
}

static void write_function(struct rendering *rendering, uint32_t id)
{
    const struct exp_report_row *row = exp_report_row(rendering->report, id);
    exp_json_begin_object(&rendering->json);
    write_identity(rendering, row);
    exp_json_member_u64(&rendering->json, "self", row->self);
    exp_json_member_u64(&rendering->json, "total", row->total);
    exp_json_end(&rendering->json);
}

static uint32_t shown(const struct rendering *rendering, uint32_t count)
{
    uint32_t top = rendering->view->top;
    return top > 0 && top < count ? top : count;
}

/* The top by self value and the top by total, each function once. */
static void write_functions(struct rendering *rendering)
{
    const struct exp_report *report = rendering->report;
    uint32_t count = shown(rendering, report->function_count);
    bool *is_written = calloc(report->row.count, sizeof *is_written);
    if (is_written == NULL) {
        exp_writer_fail(rendering->json.writer, STATUS_NO_MEMORY);
        return;
    }
    exp_json_member_u64(
        &rendering->json, "function_count", report->function_count);
    begin_array(rendering, "functions");
    for (uint32_t at = 0; at < count; at++) {
        is_written[report->by_self[at]] = true;
        write_function(rendering, report->by_self[at]);
    }
    for (uint32_t at = 0; at < count; at++) {
        if (!is_written[report->by_total[at]])
            write_function(rendering, report->by_total[at]);
    }
    exp_json_end(&rendering->json);
    free(is_written);
}

static void write_matches(
    struct rendering *rendering, const struct exp_relation *relation)
{
    const struct exp_report *report = rendering->report;
    begin_array(rendering, "matches");
    for (uint32_t at = 0; at < report->function_count; at++) {
        uint32_t id = report->by_total[at];
        if (relation->is_match[id])
            exp_json_string(
                &rendering->json,
                exp_report_row_name(report, exp_report_row(report, id)));
    }
    exp_json_end(&rendering->json);
}

static void write_related(
    struct rendering *rendering, const struct exp_relation *relation)
{
    exp_json_member_string(&rendering->json, "function", relation->wanted);
    write_matches(rendering, relation);
    exp_json_member_u64(&rendering->json, "total", relation->total);
    exp_json_member_u64(&rendering->json, "self", relation->self);
    begin_array(rendering, "functions");
    for (uint32_t at = 0; at < shown(rendering, relation->row_count); at++) {
        uint32_t id = relation->rows[at];
        exp_json_begin_object(&rendering->json);
        write_identity(rendering, exp_report_row(rendering->report, id));
        exp_json_member_u64(&rendering->json, "value", relation->values[id]);
        exp_json_end(&rendering->json);
    }
    exp_json_end(&rendering->json);
}

static void write_relation(
    struct rendering *rendering, const char *wanted,
    enum exp_direction direction)
{
    if (wanted == NULL)
        return;
    struct exp_relation relation;
    if (exp_relation_init(&relation, rendering->report, wanted, direction)) {
        begin_object(
            rendering, direction == EXP_CALLERS ? "callers" : "callees");
        write_related(rendering, &relation);
        exp_json_end(&rendering->json);
    } else {
        exp_writer_fail(rendering->json.writer, STATUS_NO_MEMORY);
    }
    exp_relation_fini(&relation);
}

void exp_report_write_json(
    const struct exp_report *report, const struct exp_report_view *view,
    struct exp_writer *writer)
{
    struct rendering rendering = {
        .report = report,
        .view = view,
        .json = exp_json_init(writer, EXP_JSON_INDENTED)};
    exp_json_begin_object(&rendering.json);
    exp_json_member_u64(&rendering.json, "version", 1);
    write_origin(&rendering);
    write_value(&rendering);
    write_quality(&rendering);
    write_notes(&rendering);
    write_states(&rendering);
    write_processes(&rendering);
    write_functions(&rendering);
    write_relation(&rendering, view->callers, EXP_CALLERS);
    write_relation(&rendering, view->callees, EXP_CALLEES);
    exp_json_end(&rendering.json);
    exp_write_char(writer, '\n');
}
