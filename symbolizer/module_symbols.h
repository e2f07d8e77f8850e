/*
 * What the symbol tables of a module say of an address, without DWARF. They
 * are read on the first question.
 */
#ifndef SYMBOLIZER_MODULE_SYMBOLS_H
#define SYMBOLIZER_MODULE_SYMBOLS_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "symbolizer/module.h"

/*
 * The name of the symbol whose code is at `vaddr`: an id of the shared
 * strings, that of "??" when there is none. `*start` becomes the start of the
 * function where one is known, and is left alone otherwise.
 *
 *   errors   NO_MEMORY
 */
MUST_CHECK enum status sym_module_symbol(
    struct sym_module *module, uint64_t vaddr, uint32_t *name, uint64_t *start);

/* The file that symbol was defined in, "" unknown; after its name only. */
const char *sym_module_symbol_file(struct sym_module *module, uint64_t vaddr);

/* Read all of it now. NO_MEMORY, or OK. */
MUST_CHECK enum status sym_module_read_symbols(struct sym_module *module);

/* The id of "??"; SYM_NO_STRING when out of memory. */
uint32_t sym_module_unknown(struct sym_module *module);

#endif
