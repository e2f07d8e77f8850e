/* Native frames of a profile -> functions, files and lines. */
#include "tools/symbolize_profile.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/table.h"
#include "tools/jit_names.h"
#include "tools/module_source.h"

/* A frame to look up, in the order that meets every unit once. */
struct place {
    uint32_t module, frame;
    uint64_t offset;
};

struct work {
    struct prof_profile *profile;
    struct sym_symbolizer *symbolizer;
    struct symbolize_help help;
    uint32_t remarks;
    struct table places;
    struct table lines;     /* of the frame at hand */
    struct sym_jit_map jit; /* of the module at hand, if it is anonymous */
    struct table wanted;    /* uint64_t: its addresses, ascending */
    bool *is_unknown;       /* per frame of the profile */
};

static int by_module_and_offset(const void *left, const void *right)
{
    const struct place *a = left, *b = right;
    if (a->module != b->module)
        return a->module < b->module ? -1 : 1;
    return (a->offset > b->offset) - (a->offset < b->offset);
}

static bool collect_places(struct work *work)
{
    uint32_t count = prof_profile_frame_count(work->profile);
    for (uint32_t id = 0; id < count; id++) {
        const struct prof_frame *frame = prof_profile_frame(work->profile, id);
        if (frame->kind != PROF_FRAME_NATIVE || frame->line_count > 0 ||
            (work->help.is_wanted != NULL && !work->help.is_wanted[id]))
            continue;
        struct place place = {
            .module = frame->module, .frame = id, .offset = frame->offset};
        if (table_add(&work->places, &place) == TABLE_NONE)
            return false;
    }
    if (work->places.count > 0)
        qsort(
            work->places.rows, work->places.count, sizeof(struct place),
            by_module_and_offset);
    return true;
}

/* ---- modules ---- */

/* A few are enough to know what is wrong, and a flood hides it. */
static void remark(struct work *work, const char *text)
{
    enum { REMARKS_MAX = 4 };
    if (work->help.remark == NULL || text[0] == '\0')
        return;
    if (work->remarks++ < REMARKS_MAX)
        work->help.remark(text);
    else if (work->remarks == REMARKS_MAX + 1)
        work->help.remark("more modules have poorer names than they might");
}

/* A copy of the file, if one had to be made, is what ran for certain. */
static void use_copy(
    const struct work *work, uint32_t id, struct sym_source *source, char *path,
    size_t path_bytes)
{
    int fd = work->help.kept ? prof_kept_files_find(work->help.kept, id) : -1;
    if (fd < 0)
        return;
    (void)snprintf(path, path_bytes, "/proc/self/fd/%d", fd);
    source->alternative = path;
}

/* It is put elsewhere at every start (KASLR). */
static bool is_kernel_in_place(
    const struct prof_profile *profile, struct sym_module *module)
{
    struct sym_frames frames;
    uint64_t vaddr = prof_profile_read_origin(profile)->kernel_symbol_vaddr;
    if (vaddr == 0 ||
        sym_module_lookup(module, vaddr, &frames, NULL) != STATUS_OK ||
        sym_module_problem(module)[0] != '\0')
        return true; /* or nobody can tell: there are no names */
    return frames.count > 0 && frames.start_vaddr == vaddr;
}

/* NULL when the module's file cannot be used. */
static struct sym_module *open_module(struct work *work, uint32_t id)
{
    char path[PATH_MAX];
    struct diag diag = {.status = STATUS_OK};
    if (prof_profile_module(work->profile, id)->kind == PROF_MODULE_ANONYMOUS)
        return NULL;
    struct sym_source source =
        module_source(work->profile, id, path, sizeof path);
    use_copy(work, id, &source, path, sizeof path);
    struct sym_module *module;
    if (sym_module_open(work->symbolizer, &source, &module, &diag) != STATUS_OK)
        remark(work, diag.text);
    else if (
        source.kind == SYM_KERNEL && !is_kernel_in_place(work->profile, module))
        remark(
            work, "the kernel is not where it was when this was recorded: its "
                  "functions stay addresses");
    else
        return module;
    return NULL;
}

/* "[module+0xADDRESS]" as a string of the profile. */
static uint32_t address_name(
    const struct work *work, const struct place *place, uint64_t address)
{
    const struct prof_module *row =
        prof_profile_module(work->profile, place->module);
    const char *path = prof_profile_text(work->profile, row->path);
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL && slash[1] != '\0' ? slash + 1 : path;
    char text[320];
    (void)snprintf(
        text, sizeof text, "[%.255s+0x%" PRIx64 "]",
        name[0] != '\0' ? name : "unknown", address);
    return prof_profile_string(work->profile, text);
}

/* ---- lines ---- */

static bool add_line(
    struct work *work, const struct place *place, uint64_t address,
    const struct sym_frame *frame)
{
    bool is_named = strcmp(frame->function, SYM_UNKNOWN_FUNCTION) != 0;
    struct prof_line line = {
        .function = is_named
                        ? prof_profile_string(work->profile, frame->function)
                        : address_name(work, place, address),
        .file = prof_profile_string(work->profile, frame->file),
        .line = frame->line,
        .column = frame->column,
        .is_inlined = frame->is_inlined};
    if (!is_named && !frame->is_inlined)
        work->is_unknown[place->frame] = true;
    return table_add(&work->lines, &line) != TABLE_NONE;
}

static enum status symbolize_place(
    struct work *work, struct sym_module *module, const struct place *place,
    struct diag *diag)
{
    struct sym_frames frames = {.start_vaddr = place->offset};
    uint64_t address;
    struct sym_frame made = {.file = ""}; /* by a runtime, in memory */
    if (module != NULL && sym_module_vaddr(module, place->offset, &address)) {
        enum status status = sym_module_lookup(module, address, &frames, diag);
        if (status != STATUS_OK)
            return status;
    }
    const struct sym_jit_code *code =
        sym_jit_map_find(&work->jit, place->offset);
    if (code != NULL) {
        const struct sym_jit_line *line =
            sym_jit_map_line(&work->jit, code, place->offset);
        made.function = code->name;
        if (line != NULL) {
            made.file = line->file;
            made.line = line->line;
        }
        frames = (struct sym_frames){.rows = &made, .count = 1};
    }
    static const struct sym_frame unknown = {
        .function = SYM_UNKNOWN_FUNCTION, .file = ""};
    if (frames.count == 0) {
        frames.rows = &unknown;
        frames.count = 1;
    }

    work->lines.count = 0;
    for (size_t i = 0; i < frames.count; i++) {
        if (!add_line(work, place, frames.start_vaddr, &frames.rows[i]))
            return fail(diag, STATUS_NO_MEMORY, "no memory for source lines");
    }
    prof_profile_set_lines(
        work->profile, place->frame, work->lines.rows, work->lines.count);
    return STATUS_OK;
}

/* The addresses of the module whose first place this is. */
static bool collect_wanted(struct work *work, uint32_t first)
{
    const struct place *places = work->places.rows;
    work->wanted.count = 0;
    for (uint32_t i = first;
         i < work->places.count && places[i].module == places[first].module;
         i++) {
        if (table_add(&work->wanted, &places[i].offset) == TABLE_NONE)
            return false;
    }
    return true;
}

/* Names of code in memory, where the module is that and nothing else. */
static enum status read_jit_names(
    struct work *work, uint32_t first, struct diag *diag)
{
    const struct place *places = work->places.rows;
    uint32_t module = places[first].module;
    sym_jit_map_fini(&work->jit);
    work->jit = (struct sym_jit_map){0};
    if (prof_profile_module(work->profile, module)->kind !=
        PROF_MODULE_ANONYMOUS)
        return STATUS_OK;
    if (!collect_wanted(work, first))
        return fail(diag, STATUS_NO_MEMORY, "no memory for names of JIT code");
    work->jit.wanted = work->wanted.rows;
    work->jit.wanted_count = work->wanted.count;
    if (jit_names_read(&work->jit, work->profile, module, work->help.kept) !=
        STATUS_OK)
        return fail(diag, STATUS_NO_MEMORY, "no memory for names of JIT code");
    return STATUS_OK;
}

/* All of a module's places are looked up: what it had to say by then. */
static void remark_problem(struct work *work, const struct sym_module *module)
{
    if (module != NULL)
        remark(work, sym_module_problem(module));
}

static enum status symbolize_places(struct work *work, struct diag *diag)
{
    struct sym_module *module = NULL;
    const struct place *places = work->places.rows;
    for (uint32_t i = 0; i < work->places.count; i++) {
        enum status status = STATUS_OK;
        if (i == 0 || places[i].module != places[i - 1].module) {
            remark_problem(work, module);
            module = open_module(work, places[i].module);
            status = read_jit_names(work, i, diag);
        }
        if (status == STATUS_OK)
            status = symbolize_place(work, module, &places[i], diag);
        if (status != STATUS_OK)
            return status;
    }
    remark_problem(work, module);
    return STATUS_OK;
}

/* ---- what stayed unknown ---- */

/* Callers have smaller ids than what they call, so one pass counts how many
   unknown frames every stack holds. */
static bool count_in_samples(const struct work *work, uint64_t *count)
{
    const struct prof_profile *profile = work->profile;
    uint32_t stacks = prof_profile_stack_count(profile);
    uint32_t *unknown = calloc((size_t)stacks + 1, sizeof *unknown);
    if (unknown == NULL)
        return false;
    for (uint32_t id = 0; id < stacks; id++) {
        const struct prof_stack *stack = prof_profile_stack(profile, id);
        unknown[id] = work->is_unknown[stack->frame];
        if (stack->parent != PROF_NONE)
            unknown[id] += unknown[stack->parent];
    }
    uint32_t samples = prof_profile_sample_count(profile);
    *count = 0;
    for (uint32_t id = 0; id < samples; id++) {
        const struct prof_sample *sample = prof_profile_sample(profile, id);
        if (sample->stack != PROF_NONE)
            *count += (uint64_t)sample->count * unknown[sample->stack];
    }
    free(unknown);
    return true;
}

static enum status count_losses(struct work *work, struct diag *diag)
{
    uint64_t in_frames = 0, in_samples;
    for (uint32_t i = 0; i < prof_profile_frame_count(work->profile); i++)
        in_frames += work->is_unknown[i];
    if (!count_in_samples(work, &in_samples))
        return fail(diag, STATUS_NO_MEMORY, "no memory to count losses");
    prof_profile_add_loss(
        work->profile, PROF_LOSS_NO_SYMBOL,
        in_samples > in_frames ? in_samples : in_frames);
    return STATUS_OK;
}

enum status symbolize_profile(
    struct prof_profile *profile, struct sym_symbolizer *symbolizer,
    const struct symbolize_help *help, struct diag *diag)
{
    static const struct symbolize_help none;
    struct work work = {
        .profile = profile,
        .help = help != NULL ? *help : none,
        .symbolizer = symbolizer,
        .places.row_bytes = sizeof(struct place),
        .wanted.row_bytes = sizeof(uint64_t),
        .lines.row_bytes = sizeof(struct prof_line),
        .is_unknown = calloc(
            (size_t)prof_profile_frame_count(profile) + 1,
            sizeof *work.is_unknown)};
    enum status status = STATUS_OK;
    if (work.is_unknown == NULL || !collect_places(&work))
        status = fail(diag, STATUS_NO_MEMORY, "no memory to symbolize");
    if (status == STATUS_OK)
        status = symbolize_places(&work, diag);
    if (status == STATUS_OK)
        status = count_losses(&work, diag);
    if (status == STATUS_OK && prof_profile_status(profile) != STATUS_OK)
        status = fail(
            diag, prof_profile_status(profile), "no memory for the profile");
    sym_jit_map_fini(&work.jit);
    table_fini(&work.wanted);
    table_fini(&work.places);
    table_fini(&work.lines);
    free(work.is_unknown);
    return status;
}
