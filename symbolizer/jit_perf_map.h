/* Perf maps: lines of "START SIZE NAME" in hexadecimal. */
#ifndef SYMBOLIZER_JIT_PERF_MAP_H
#define SYMBOLIZER_JIT_PERF_MAP_H

#include <stdbool.h>

#include "symbolizer/jit_input.h"
#include "symbolizer/jit_map.h"

/* Add what the lines say; of a file beyond SYM_JIT_FILE_BYTES its end is read.
   False: no memory. */
bool sym_jit_add_perf_map(
    struct sym_jit_map *map, const struct sym_jit_input *input);

#endif
