/*
 * Go code of which no DWARF is left: its runtime's own table has functions,
 * files, lines and inlined calls.
 */
#ifndef SYMBOLIZER_MODULE_GO_H
#define SYMBOLIZER_MODULE_GO_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "symbolizer/module.h"

/* Open the table, if there is one and DWARF does not describe what it does.
   Call after the DWARF was opened. */
void sym_module_go_open(struct sym_module *module);

/*
 * Add the frames at `vaddr` to the module's answer.
 *
 *   returns  false when the table does not know the address
 *   status   NO_MEMORY, or OK
 */
bool sym_module_go_answer(
    struct sym_module *module, uint64_t vaddr, enum status *status);

#endif
