/* What the readers of perf maps and of jitdumps share (jit_map.c). */
#ifndef SYMBOLIZER_JIT_INPUT_H
#define SYMBOLIZER_JIT_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbolizer/jit_map.h"

/* A large Java server writes 50 MB, with its code a jitdump of 500. Of a map
   beyond this the end is read, of a jitdump the beginning. */
#define SYM_JIT_FILE_BYTES (UINT64_C(1) << 30)

/* Pieces of code, and lines, that are kept: 160 MB at most. */
#define SYM_JIT_ROWS       (UINT32_C(1) << 22)

/* What a jitdump begins with. */
#define SYM_JITDUMP_MAGIC  UINT32_C(0x4a695444)

/* Where a map comes from: a file, or bytes in memory. */
struct sym_jit_input {
    int fd;
    const uint8_t *bytes; /* NULL: it is a file */
    uint64_t count;
};

/* Copy what of these bytes there is; how many there were. */
size_t sym_jit_read(
    const struct sym_jit_input *input, uint64_t offset, void *to, size_t count);

/* A copy of the text that lives as long as the map; NULL when out of memory. */
const char *sym_jit_keep_text(
    struct sym_jit_map *map, const char *text, size_t bytes);

/* Add a piece of code of this name, if it has bytes and one. False: no
   memory. */
bool sym_jit_add_code(
    struct sym_jit_map *map, struct sym_jit_code code, const char *name);

/* Add what a jitdump says. False: no memory. */
bool sym_jit_add_dump(
    struct sym_jit_map *map, const struct sym_jit_input *input);

#endif
