/* Looking an address up in one module; see the header. */
#include "symbolizer/module_answer.h"

#include <stdlib.h>
#include <string.h>

#include "symbolizer/module_go.h"
#include "symbolizer/module_index.h"
#include "symbolizer/module_symbols.h"

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
    uint32_t id = sym_line_files_path(&unit->lines.files, strings, file);
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
