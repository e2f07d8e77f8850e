/* The names tier of one module: its symbol tables, and the FDEs behind them. */
#include "symbolizer/module_symbols.h"

#include <stdlib.h>
#include <string.h>

#include "symbolizer/debug_file.h"
#include "symbolizer/kallsyms.h"
#include "symbolizer/pclntab.h"
#include "symbolizer/plt.h"

static bool add_elf_names(struct sym_module *module)
{
    if (!sym_image_has_symbols(&module->image) && module->debug.elf == NULL)
        (void)sym_debug_open_embedded(
            &module->image, &module->embedded, &module->problem);
    const struct sym_image *images[] = {
        &module->image, &module->debug, &module->embedded};
    for (size_t i = 0; i < sizeof images / sizeof images[0]; i++) {
        if (images[i]->elf != NULL &&
            !sym_names_add_elf(
                &module->names, images[i]->elf, SHT_SYMTAB,
                sym_image_shift(&module->image, images[i])))
            return false;
    }
    /* Go's own table says no more than a full symbol table. */
    if (module->names.symbols.count == 0 &&
        !sym_names_add_pclntab(&module->names, &module->image))
        return false;
    return sym_names_add_elf(
               &module->names, module->image.elf, SHT_DYNSYM, 0) &&
           sym_names_add_plt(&module->names, &module->image);
}

static enum status read_names(struct sym_module *module)
{
    if (module->has_names)
        return STATUS_OK;
    module->has_names = true;
    enum status status = STATUS_OK;
    if (module->kind == SYM_KERNEL)
        status = sym_kallsyms_read(
            &module->names, module->path, &module->kallsyms, &module->problem);
    else if (!add_elf_names(module))
        status = STATUS_NO_MEMORY;
    if (status == STATUS_OK && !sym_names_finish(&module->names))
        status = STATUS_NO_MEMORY;
    return status;
}

/* ---- answers ---- */

uint32_t sym_module_unknown(struct sym_module *module)
{
    return sym_strings_add(
        &module->shared->strings, SYM_UNKNOWN_FUNCTION,
        strlen(SYM_UNKNOWN_FUNCTION));
}

/* A symbol's name without its version, a stub's with "@plt". */
static uint32_t add_symbol_name(
    struct sym_module *module, const struct sym_symbol *symbol)
{
    struct sym_strings *strings = &module->shared->strings;
    size_t bytes = sym_symbol_name_bytes(symbol);
    if (!symbol->is_stub)
        return sym_strings_add(strings, symbol->name, bytes);

    static const char suffix[] = "@plt";
    char *text = malloc(bytes + sizeof suffix);
    if (text == NULL)
        return SYM_NO_STRING;
    memcpy(text, symbol->name, bytes);
    memcpy(text + bytes, suffix, sizeof suffix);
    uint32_t id = sym_strings_add(strings, text, bytes + sizeof suffix - 1);
    free(text);
    return id;
}

static enum status read_fde_starts(struct sym_module *module)
{
    if (module->has_fde_starts)
        return STATUS_OK;
    module->has_fde_starts = true;
    return sym_fde_starts_read(&module->fde_starts, &module->image)
               ? STATUS_OK
               : STATUS_NO_MEMORY;
}

enum status sym_module_read_symbols(struct sym_module *module)
{
    enum status status = read_names(module);
    return status == STATUS_OK ? read_fde_starts(module) : status;
}

/*
 * The symbol that speaks for `vaddr`, or NULL, and the start of the function.
 * A symbol without a size may have been stretched over functions whose own
 * symbols are gone, or have shrunk to its first byte. FDEs know better: it
 * stands for all of the one it begins in, and for nothing of another.
 */
static enum status find_symbol(
    struct sym_module *module, uint64_t vaddr, const struct sym_symbol **symbol,
    uint64_t *start)
{
    if (read_names(module) != STATUS_OK)
        return STATUS_NO_MEMORY;
    const struct sym_symbol *found = sym_names_find(&module->names, vaddr);
    if (found == NULL || found->size == 0) {
        if (read_fde_starts(module) != STATUS_OK)
            return STATUS_NO_MEMORY;
        const struct sym_fde_starts *starts = &module->fde_starts;
        const struct sym_fde_range *here = sym_fde_starts_find(starts, vaddr);
        if (here != NULL)
            *start = here->start;
        if (here != NULL && found == NULL)
            found = sym_names_find(&module->names, here->start);
        if (found != NULL &&
            (found->size > 0 ||
             sym_fde_starts_find(starts, found->vaddr) != here))
            found = NULL;
    }
    if (found != NULL)
        *start = found->vaddr;
    *symbol = found;
    return STATUS_OK;
}

enum status sym_module_symbol(
    struct sym_module *module, uint64_t vaddr, uint32_t *name, uint64_t *start)
{
    const struct sym_symbol *symbol;
    if (find_symbol(module, vaddr, &symbol, start) != STATUS_OK)
        return STATUS_NO_MEMORY;
    *name = symbol == NULL ? sym_module_unknown(module)
                           : add_symbol_name(module, symbol);
    return *name == SYM_NO_STRING ? STATUS_NO_MEMORY : STATUS_OK;
}

const char *sym_module_symbol_file(struct sym_module *module, uint64_t vaddr)
{
    const struct sym_symbol *symbol;
    uint64_t start;
    if (find_symbol(module, vaddr, &symbol, &start) != STATUS_OK ||
        symbol == NULL)
        return "";
    return sym_names_file(&module->names, symbol);
}
