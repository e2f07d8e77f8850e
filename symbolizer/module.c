/* Looking an address up in one module. */
#include "symbolizer/module.h"

#include <stdlib.h>
#include <string.h>

#include "symbolizer/debug_file.h"
#include "symbolizer/module_go.h"
#include "symbolizer/module_index.h"
#include "symbolizer/module_symbols.h"

struct sym_module *sym_module_create(
    struct sym_shared *shared, enum sym_kind kind, const char *path)
{
    struct sym_module *module = calloc(1, sizeof *module);
    if (module == NULL)
        return NULL;
    module->shared = shared;
    module->kind = kind;
    module->frames.row_bytes = sizeof(struct sym_frame);
    module->path = strdup(path);
    if (module->path == NULL) {
        sym_module_destroy(module);
        return NULL;
    }
    return module;
}

void sym_module_destroy(struct sym_module *module)
{
    if (module == NULL)
        return;
    sym_module_index_fini(module);
    if (module->info != NULL)
        sym_debug_info_close(module->info);
    free(module->info);
    sym_fde_starts_fini(&module->fde_starts);
    sym_names_fini(&module->names);
    table_fini(&module->frames);
    sym_image_close(&module->embedded);
    sym_image_close(&module->debug);
    sym_image_close(&module->image);
    free(module->kallsyms);
    free(module->path);
    free(module);
}

/* ---- the two tiers ---- */

/* Find the separate debug file, unless there is nothing to look for. */
void sym_module_find_debug_file(struct sym_module *module)
{
    if (module->is_searched || module->kind == SYM_KERNEL)
        return;
    module->is_searched = true;
    bool needs_dwarf =
        !module->shared->names_only && !sym_debug_info_is_in(&module->image);
    if (!needs_dwarf && sym_symbols_are_in(&module->image))
        return;
    struct sym_debug_search search = {
        .image = &module->image,
        .path = module->path,
        .dirs = module->shared->debug_dirs};
    if (sym_debug_find(&search, &module->debug, &module->problem))
        module->problem.text[0] = '\0'; /* a refused candidate is forgotten */
}

static enum status open_debug_info(struct sym_module *module)
{
    const struct sym_image *image = &module->image;
    if (!sym_debug_info_is_in(image))
        image = &module->debug;
    if (module->shared->names_only || image->elf == NULL ||
        !sym_debug_info_is_in(image))
        return STATUS_OK;

    module->info = calloc(1, sizeof *module->info);
    if (module->info == NULL)
        return STATUS_NO_MEMORY;
    enum status status = sym_debug_info_open(
        module->info, image, &module->image, module->shared->debug_dirs,
        &module->shared->strings, &module->problem);
    return status == STATUS_NO_MEMORY ? status : STATUS_OK;
}

bool sym_module_has_dwarf(const struct sym_module *module)
{
    return sym_debug_info_is_in(&module->image) ||
           (module->debug.elf != NULL && sym_debug_info_is_in(&module->debug));
}

enum status sym_module_prepare(struct sym_module *module)
{
    if (module->is_prepared || module->kind == SYM_KERNEL)
        return STATUS_OK;
    module->is_prepared = true;
    sym_module_find_debug_file(module);
    enum status status = open_debug_info(module);
    if (status == STATUS_OK)
        sym_module_go_open(module);
    return status;
}

/* ---- answers ---- */

enum status sym_module_add_frame(
    struct sym_module *module, uint32_t name, struct sym_frame frame)
{
    struct sym_strings *strings = &module->shared->strings;
    frame.raw_name = sym_strings_text(strings, name);
    frame.function = module->shared->raw_names
                         ? frame.raw_name
                         : sym_strings_demangled(strings, name);
    if (name == SYM_NO_STRING || frame.function == NULL || frame.file == NULL ||
        table_add(&module->frames, &frame) == TABLE_NONE)
        return STATUS_NO_MEMORY;
    return STATUS_OK;
}

static enum status add_symbol_frame(
    struct sym_module *module, uint64_t vaddr, struct sym_frame frame)
{
    uint32_t name;
    enum status status =
        sym_module_symbol(module, vaddr, &name, &module->start_vaddr);
    if (status != STATUS_OK)
        return status;
    bool is_unknown = strcmp(
                          sym_strings_text(&module->shared->strings, name),
                          SYM_UNKNOWN_FUNCTION) == 0;
    if (frame.file[0] == '\0') {
        if (is_unknown)
            return STATUS_OK; /* nothing at all is no frame */
        frame.file = sym_module_symbol_file(module, vaddr);
    }
    return sym_module_add_frame(module, name, frame);
}

/* Path of a file of the unit, or NULL when out of memory. */
static const char *unit_path(
    struct sym_module *module, struct sym_unit *unit, uint64_t file)
{
    struct sym_strings *strings = &module->shared->strings;
    uint32_t id = sym_lines_path(&unit->lines, strings, file);
    return id == SYM_NO_STRING ? NULL : sym_strings_text(strings, id);
}

static bool is_mangled(const char *name)
{
    return name[0] == '_' &&
           (name[1] == 'Z' || name[1] == 'R' ||
            (name[1] == 'D' && name[2] >= '0' && name[2] <= '9'));
}

/* The C library's name for one of its functions that others may call by a
   public one; DWARF has it for the linkage name. */
static bool is_internal_alias(const char *name)
{
    return strncmp(name, "__GI_", 5) == 0;
}

static bool is_better_name(const struct sym_unit *unit, const char *symbol)
{
    if (unit->has_mangled_names)
        return is_mangled(symbol);
    return !is_internal_alias(symbol) &&
           strcmp(symbol, SYM_UNKNOWN_FUNCTION) != 0;
}

enum status sym_module_body_name(
    struct sym_module *module, const struct sym_unit *unit,
    const struct sym_node *node, uint32_t *name)
{
    const char *text = sym_strings_text(&module->shared->strings, node->name);
    bool is_plain = is_internal_alias(text) ||
                    (unit->has_mangled_names && !is_mangled(text));
    if (node->parent != SYM_NO_NODE || (text[0] != '\0' && !is_plain)) {
        if (text[0] == '\0')
            *name = sym_module_unknown(module);
        return *name == SYM_NO_STRING ? STATUS_NO_MEMORY : STATUS_OK;
    }
    uint32_t symbol;
    uint64_t start = node->start;
    if (sym_module_symbol(module, node->start, &symbol, &start) != STATUS_OK)
        return STATUS_NO_MEMORY;
    const char *known = sym_strings_text(&module->shared->strings, symbol);
    bool is_better = start == node->start && is_better_name(unit, known);
    if (text[0] == '\0' || is_better)
        *name = symbol;
    return STATUS_OK;
}

/* Add the frames from an inlined call out to the function around it. */
static enum status add_node_frames(
    struct sym_module *module, const struct sym_place *place,
    struct sym_frame frame)
{
    const struct sym_node *node = sym_unit_node(place->unit, place->node);
    const struct sym_node *body = node;
    while (body->parent != SYM_NO_NODE)
        body = sym_unit_node(place->unit, body->parent);
    module->start_vaddr = body->start;

    for (;; node = sym_unit_node(place->unit, node->parent)) {
        uint32_t name = node->name;
        frame.is_inlined = node->parent != SYM_NO_NODE;
        if (sym_module_body_name(module, place->unit, node, &name) !=
                STATUS_OK ||
            sym_module_add_frame(module, name, frame) != STATUS_OK)
            return STATUS_NO_MEMORY;
        if (!frame.is_inlined)
            return STATUS_OK;
        frame.file = unit_path(module, place->unit, node->call_file);
        frame.line = node->call_line;
        frame.column = node->call_column;
        frame.discriminator = 0;
    }
}

static enum status add_place_frames(
    struct sym_module *module, const struct sym_place *place, uint64_t vaddr)
{
    struct sym_frame frame = {.file = ""};
    const struct sym_line_row *row = sym_lines_find(&place->unit->lines, vaddr);
    if (row != NULL) {
        frame.file = unit_path(module, place->unit, row->file);
        frame.line = row->line;
        frame.column = row->column;
        frame.discriminator = row->discriminator;
    }
    if (frame.file == NULL)
        return STATUS_NO_MEMORY;
    return place->node == SYM_NO_NODE ? add_symbol_frame(module, vaddr, frame)
                                      : add_node_frames(module, place, frame);
}

enum status sym_module_answer(struct sym_module *module, uint64_t vaddr)
{
    enum status status;
    module->frames.count = 0;
    module->start_vaddr = vaddr;
    if (sym_module_index_answer(module, vaddr, &status))
        return status;
    status = sym_module_prepare(module);
    if (status != STATUS_OK)
        return status;
    if (module->info != NULL)
        sym_module_index_want(module);
    struct sym_place place;
    if (module->info != NULL &&
        sym_debug_info_find(
            module->info, vaddr, &place, &status, &module->problem))
        return add_place_frames(module, &place, vaddr);
    if (status != STATUS_OK || sym_module_go_answer(module, vaddr, &status))
        return status;
    return add_symbol_frame(module, vaddr, (struct sym_frame){.file = ""});
}
