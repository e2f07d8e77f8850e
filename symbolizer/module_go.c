/* Answering from Go's own table. */
#include "symbolizer/module_go.h"

#include <string.h>

#include "symbolizer/pclntab_frames.h"

void sym_module_go_open(struct sym_module *module)
{
    struct sym_pclntab_function first;
    if (module->shared->names_only ||
        !sym_pclntab_open(&module->go, &module->image) ||
        !sym_pclntab_function(&module->go, 0, &first))
        return;
    /* C code that was linked in may have DWARF where Go has none. */
    module->has_go_table = module->info == NULL ||
                           !sym_debug_info_covers(module->info, first.vaddr);
}

static enum status add_frame(
    struct sym_module *module, const struct sym_pclntab_frame *found)
{
    const char *name =
        found->function[0] != '\0' ? found->function : SYM_UNKNOWN_FUNCTION;
    struct sym_strings *strings = &module->shared->strings;
    uint32_t file = sym_strings_add(strings, found->file, strlen(found->file));
    if (file == SYM_NO_STRING)
        return STATUS_NO_MEMORY;
    struct sym_frame frame = {
        .file = sym_strings_text(strings, file),
        .line = found->line,
        .is_inlined = found->is_inlined};
    return sym_module_add_frame(
        module, sym_strings_add(strings, name, strlen(name)), frame);
}

bool sym_module_go_answer(
    struct sym_module *module, uint64_t vaddr, enum status *status)
{
    struct sym_pclntab_function function;
    *status = STATUS_OK;
    if (!module->has_go_table ||
        !sym_pclntab_find(&module->go, vaddr, &function))
        return false;
    module->start_vaddr = function.vaddr;
    struct sym_pclntab_walk walk =
        sym_pclntab_walk_begin(&module->go, &function, vaddr);
    struct sym_pclntab_frame frame;
    while (*status == STATUS_OK && sym_pclntab_walk_next(&walk, &frame))
        *status = add_frame(module, &frame);
    if (sym_pclntab_walk_is_damaged(&walk) && module->problem.text[0] == '\0')
        (void)fail(
            &module->problem, STATUS_MALFORMED,
            "'%s': Go's table of functions is damaged at 0x%llx", module->path,
            (unsigned long long)vaddr);
    return true;
}
