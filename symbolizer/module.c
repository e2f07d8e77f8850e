/* One module: its files, and the answer in the making. */
#include "symbolizer/module.h"

#include <stdlib.h>
#include <string.h>

#include "symbolizer/debug_file.h"

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
    if (module->index.is_open)
        sym_index_close(&module->index.index);
    free(module->index.strings);
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

void sym_module_find_debug_file(struct sym_module *module)
{
    if (module->is_searched || module->kind == SYM_KERNEL)
        return;
    module->is_searched = true;
    bool needs_dwarf =
        !module->shared->names_only && !sym_debug_info_is_in(&module->image);
    if (!needs_dwarf && sym_image_has_symbols(&module->image))
        return;
    struct sym_debug_search search = {
        .image = &module->image,
        .path = module->path,
        .dirs = module->shared->debug_dirs};
    if (sym_debug_find(&search, &module->debug, &module->problem))
        module->problem.text[0] = '\0'; /* a refused candidate is forgotten */
}

bool sym_module_has_dwarf(const struct sym_module *module)
{
    return sym_debug_info_is_in(&module->image) ||
           (module->debug.elf != NULL && sym_debug_info_is_in(&module->debug));
}

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
