/*
 * A module's index in the cache: the way around all other files. Where there
 * is none, the module is given to the builder.
 */
#ifndef SYMBOLIZER_MODULE_INDEX_H
#define SYMBOLIZER_MODULE_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "symbolizer/module.h"

/*
 * Add the frames at `vaddr` to the module's answer.
 *
 *   returns  false when there is no index to believe: take the direct way
 *   status   NO_MEMORY, or OK
 */
bool sym_module_index_answer(
    struct sym_module *module, uint64_t vaddr, enum status *status);

/* The direct way is taken: have an index made for the next time. */
void sym_module_index_want(struct sym_module *module);

#endif
