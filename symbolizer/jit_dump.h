/* Jitdumps (linux: tools/perf/Documentation/jitdump-specification.txt). */
#ifndef SYMBOLIZER_JIT_DUMP_H
#define SYMBOLIZER_JIT_DUMP_H

#include <stdbool.h>

#include "symbolizer/jit_input.h"
#include "symbolizer/jit_map.h"

/* What one begins with. */
#define SYM_JITDUMP_MAGIC UINT32_C(0x4a695444)

/* Add what its records say, of which the code itself is not read; of a file
   beyond SYM_JIT_FILE_BYTES the beginning. False: no memory. */
bool sym_jit_add_dump(
    struct sym_jit_map *map, const struct sym_jit_input *input);

#endif
