/*
 * The sweep: every boundary of every unit, symbol and FDE sets a bit in a map
 * of the code, one bit a byte, which sorts them and drops repetitions at once.
 * Then each set bit, in order, is a question.
 *
 * An answer is a node of a unit and a row of its lines, or a symbol and a row.
 * Nodes of units become nodes of the index once, callers first.
 */
#include "symbolizer/survey.h"

#include <stdlib.h>
#include <string.h>

#include "symbolizer/fde_starts.h"
#include "symbolizer/module_answer.h"
#include "symbolizer/module_symbols.h"
#include "symbolizer/spans.h"

/* The map of more code than this would be larger than what it is for. */
#define CODE_LIMIT_BYTES (UINT64_C(1) << 30)

struct survey {
    struct sym_module *module;
    struct sym_index_writer *writer;
    struct sym_survey_progress *progress;
    uint64_t base, end; /* of the code */
    uint64_t *bits;
    uint32_t **nodes; /* per unit and node: in the index, or TABLE_NONE */
    bool is_outside;  /* something was not in the code */
};

/* ---- the map ---- */

static bool find_code(struct survey *survey)
{
    const struct table *segments = &survey->module->image.segments;
    survey->base = UINT64_MAX;
    for (uint32_t i = 0; i < segments->count; i++) {
        const struct sym_segment *segment = table_row(segments, i);
        uint64_t end = segment->vaddr + segment->memory_bytes;
        if (!segment->is_executable || end < segment->vaddr)
            continue;
        if (segment->vaddr < survey->base)
            survey->base = segment->vaddr;
        if (end > survey->end)
            survey->end = end;
    }
    return survey->base < survey->end &&
           survey->end - survey->base <= CODE_LIMIT_BYTES;
}

static void mark(struct survey *survey, uint64_t vaddr)
{
    if (vaddr < survey->base || vaddr > survey->end) {
        survey->is_outside = true;
        return;
    }
    uint64_t at = vaddr - survey->base;
    survey->bits[at / 64] |= UINT64_C(1) << at % 64;
}

static void mark_spans(struct survey *survey, const struct table *spans)
{
    const struct sym_span *rows = spans->rows;
    for (uint32_t i = 0; i < spans->count; i++) {
        mark(survey, rows[i].start);
        mark(survey, rows[i].end);
    }
}

static void mark_unit(struct survey *survey, const struct sym_unit *unit)
{
    mark_spans(survey, &unit->spans);
    const struct sym_line_row *rows = unit->lines.rows.rows;
    for (uint32_t i = 0; i < unit->lines.rows.count; i++)
        mark(survey, rows[i].vaddr);
}

static void mark_everything(struct survey *survey)
{
    struct sym_module *module = survey->module;
    struct sym_debug_info *info = module->info;
    for (uint32_t i = 0; i < info->units.count; i++)
        mark_unit(survey, table_row(&info->units, i));
    uint64_t start, end;
    for (uint32_t i = 0; sym_debug_info_range(info, i, &start, &end); i++) {
        mark(survey, start);
        mark(survey, end);
    }
    mark_spans(survey, &module->names.spans);
    const struct sym_fde_range *ranges = module->fde_starts.ranges.rows;
    for (uint32_t i = 0; i < module->fde_starts.ranges.count; i++) {
        mark(survey, ranges[i].start);
        mark(survey, ranges[i].end);
    }
}

/* ---- reading everything ---- */

/* Reading takes about two thirds of the time. */
enum { READING = SYM_SURVEY_WHOLE * 2 / 3 };

/* False when it is to stop. */
static bool report(struct survey *survey, unsigned done)
{
    struct sym_survey_progress *progress = survey->progress;
    atomic_store_explicit(&progress->done, done, memory_order_relaxed);
    return !atomic_load_explicit(&progress->is_cancelled, memory_order_relaxed);
}

static enum status read_units(struct survey *survey)
{
    struct sym_module *module = survey->module;
    struct sym_debug_info *info = module->info;
    for (uint32_t i = 0; i < info->units.count; i++) {
        struct sym_unit *unit = table_row(&info->units, i);
        if (!report(
                survey, (unsigned)((uint64_t)READING * i / info->units.count)))
            return STATUS_LIMIT;
        if (!unit->is_read &&
            sym_unit_read(unit, &info->context, &module->problem) ==
                STATUS_NO_MEMORY)
            return STATUS_NO_MEMORY;
    }
    return STATUS_OK;
}

static enum status read_everything(struct survey *survey, struct diag *diag)
{
    struct sym_module *module = survey->module;
    enum status status = sym_module_prepare(module);
    if (status == STATUS_OK && module->info == NULL)
        return fail(
            diag, STATUS_UNSUPPORTED, "'%s' has no debug information",
            module->path);
    /* The index would have to say all of what Go's table does. */
    if (status == STATUS_OK && module->has_go_table)
        return fail(
            diag, STATUS_UNSUPPORTED, "'%s' has Go code without DWARF",
            module->path);
    if (status == STATUS_OK)
        status = read_units(survey);
    if (status == STATUS_OK)
        status = sym_module_read_symbols(module);
    if (status != STATUS_OK)
        return fail(diag, status, "cannot read all of '%s'", module->path);
    if (module->problem.text[0] != '\0')
        return fail(
            diag, STATUS_UNSUPPORTED, "not kept: %.400s", module->problem.text);
    return STATUS_OK;
}

/* ---- answers ---- */

/* The id of a path of the unit. */
static uint32_t path_of(
    struct survey *survey, struct sym_unit *unit, uint64_t file)
{
    struct sym_strings *strings = &survey->module->shared->strings;
    uint32_t path = sym_line_files_path(&unit->lines.files, strings, file);
    if (path == SYM_NO_STRING)
        survey->writer->status = STATUS_NO_MEMORY;
    return path;
}

/* One node of a unit, whose caller is in the index already. */
static uint32_t add_node(
    struct survey *survey, struct sym_unit *unit, const struct sym_node *node,
    uint32_t caller)
{
    uint32_t name = node->name;
    if (sym_module_body_name(survey->module, unit, node, &name) != STATUS_OK)
        survey->writer->status = STATUS_NO_MEMORY;
    if (node->parent == SYM_NO_NODE)
        return sym_index_writer_body(survey->writer, name, node->start);
    struct sym_index_source call = {
        .file = path_of(survey, unit, node->call_file),
        .line = node->call_line,
        .column = node->call_column};
    return sym_index_writer_inlined(
        survey->writer, name, caller,
        sym_index_writer_source(survey->writer, call));
}

static uint32_t node_of(
    struct survey *survey, struct sym_unit *unit, uint32_t unit_id, uint32_t id)
{
    uint32_t **known = &survey->nodes[unit_id];
    if (*known == NULL) {
        size_t bytes = unit->nodes.count * sizeof **known;
        *known = malloc(bytes);
        if (*known == NULL) {
            survey->writer->status = STATUS_NO_MEMORY;
            return SYM_INDEX_NONE;
        }
        memset(*known, 0xff, bytes);
    }
    /* Out to the first that is known, and back in; parents have smaller ids. */
    uint32_t first;
    while ((*known)[id] == TABLE_NONE) {
        uint32_t caller = TABLE_NONE;
        first = id;
        for (;;) {
            const struct sym_node *node = sym_unit_node(unit, first);
            if (node->parent == SYM_NO_NODE)
                break;
            caller = (*known)[node->parent];
            if (caller != TABLE_NONE)
                break;
            first = node->parent;
        }
        (*known)[first] =
            add_node(survey, unit, sym_unit_node(unit, first), caller);
    }
    return (*known)[id];
}

/* What symbol tables say where DWARF knows no function. */
static uint32_t symbol_node(
    struct survey *survey, uint64_t vaddr, struct sym_index_source *source)
{
    struct sym_module *module = survey->module;
    struct sym_strings *strings = &module->shared->strings;
    uint32_t name, unknown = sym_module_unknown(module);
    uint64_t start = UINT64_MAX;
    if (unknown == SYM_NO_STRING ||
        sym_module_symbol(module, vaddr, &name, &start) != STATUS_OK) {
        survey->writer->status = STATUS_NO_MEMORY;
        return SYM_INDEX_NONE;
    }
    if (name == unknown) {
        name = 0;
    } else if (source->file == 0) {
        const char *file = sym_module_symbol_file(module, vaddr);
        source->file = sym_strings_add(strings, file, strlen(file));
        if (source->file == SYM_NO_STRING)
            survey->writer->status = STATUS_NO_MEMORY;
    }
    return start == UINT64_MAX
               ? SYM_INDEX_NONE
               : sym_index_writer_body(survey->writer, name, start);
}

static uint32_t unit_id(
    const struct survey *survey, const struct sym_unit *unit)
{
    const struct sym_unit *first = survey->module->info->units.rows;
    return (uint32_t)(unit - first);
}

static enum status ask(struct survey *survey, uint64_t vaddr)
{
    struct sym_module *module = survey->module;
    struct sym_place place = {.node = SYM_NO_NODE};
    struct sym_index_source source = {0};
    enum status status;
    if (sym_debug_info_find(
            module->info, vaddr, &place, &status, &module->problem)) {
        const struct sym_line_row *row =
            sym_lines_find(&place.unit->lines, vaddr);
        if (row != NULL)
            source = (struct sym_index_source){
                .file = path_of(survey, place.unit, row->file),
                .line = row->line,
                .column = row->column,
                .discriminator = row->discriminator};
    } else if (status != STATUS_OK) {
        return status;
    }
    uint32_t node =
        place.node == SYM_NO_NODE
            ? symbol_node(survey, vaddr, &source)
            : node_of(
                  survey, place.unit, unit_id(survey, place.unit), place.node);
    sym_index_writer_answer(
        survey->writer, vaddr, node,
        sym_index_writer_source(survey->writer, source));
    return survey->writer->status;
}

static enum status ask_everywhere(struct survey *survey)
{
    enum status status = STATUS_OK;
    uint64_t words = (survey->end - survey->base) / 64 + 1;
    for (uint64_t word = 0; status == STATUS_OK && word < words; word++) {
        if (word % 1024 == 0 &&
            !report(
                survey,
                READING +
                    (unsigned)((SYM_SURVEY_WHOLE - READING) * word / words)))
            return STATUS_LIMIT;
        for (uint64_t bits = survey->bits[word];
             bits != 0 && status == STATUS_OK; bits &= bits - 1)
            status =
                ask(survey,
                    survey->base + 64 * word + (uint64_t)__builtin_ctzll(bits));
    }
    /* The last answer ends with the code. */
    sym_index_writer_answer(survey->writer, survey->end, SYM_INDEX_NONE, 0);
    return status;
}

static enum status run(struct survey *survey, struct diag *diag)
{
    struct sym_module *module = survey->module;
    uint64_t words = (survey->end - survey->base) / 64 + 1;
    survey->bits = calloc(words, sizeof *survey->bits);
    survey->nodes =
        calloc((size_t)module->info->units.count + 1, sizeof *survey->nodes);
    if (survey->bits == NULL || survey->nodes == NULL)
        return fail(diag, STATUS_NO_MEMORY, "no memory for an index");
    mark_everything(survey);
    if (survey->is_outside)
        return fail(
            diag, STATUS_UNSUPPORTED, "'%s' has code outside of its segments",
            module->path);
    enum status status = ask_everywhere(survey);
    return status == STATUS_OK
               ? status
               : fail(diag, status, "no index of '%s'", module->path);
}

enum status sym_survey_module(
    struct sym_module *module, struct sym_index_writer *writer,
    struct sym_survey_progress *progress, struct diag *diag)
{
    struct survey survey = {
        .module = module, .writer = writer, .progress = progress};
    bool has_code = find_code(&survey);
    sym_index_writer_init(writer, &module->shared->strings, survey.base);
    if (!has_code)
        return fail(
            diag, STATUS_UNSUPPORTED, "'%s' has no code to index",
            module->path);
    enum status status = read_everything(&survey, diag);
    if (status == STATUS_OK)
        status = run(&survey, diag);
    for (uint32_t i = 0; survey.nodes != NULL && i < module->info->units.count;
         i++)
        free(survey.nodes[i]);
    free(survey.nodes);
    free(survey.bits);
    return status;
}
