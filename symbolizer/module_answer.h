/*
 * Looking an address up in one module: in its index, or the direct way, in its
 * DWARF, Go's table, and its symbols.
 */
#ifndef SYMBOLIZER_MODULE_ANSWER_H
#define SYMBOLIZER_MODULE_ANSWER_H

#include <stdint.h>

#include "profiler/base/status.h"
#include "symbolizer/module.h"

/* Find and open what the direct way needs, once. NO_MEMORY, or OK. */
MUST_CHECK enum status sym_module_prepare(struct sym_module *module);

/*
 * DWARF's name of a node, unless the symbol table knows a better one: where
 * DWARF has none, where a language that mangles is left with its plain name
 * (clang's line tables alone), which says neither class nor arguments, and
 * where the C library's own alias of a function ("__GI_") is all DWARF says.
 * `*name` is the node's own on entry. NO_MEMORY, or OK.
 */
MUST_CHECK enum status sym_module_body_name(
    struct sym_module *module, const struct sym_unit *unit,
    const struct sym_node *node, uint32_t *name);

/*
 * Find what runs at `vaddr`: the last answer is replaced, which is empty where
 * nobody knows the address. NO_MEMORY, or OK.
 */
MUST_CHECK enum status sym_module_answer(
    struct sym_module *module, uint64_t vaddr);

#endif
