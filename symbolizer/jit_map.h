/*
 * Names of code that a runtime made in memory, from what it wrote down:
 *
 *   perf map   /tmp/perf-PID.map, lines of "START SIZE NAME" in hexadecimal
 *   jitdump    jit-PID.dump, records of code that was loaded and moved, and
 *              of the source lines of what is loaded next
 *              (linux: tools/perf/Documentation/jitdump-specification.txt)
 *
 * Code is made again where other code was: what was written later counts.
 */
#ifndef SYMBOLIZER_JIT_MAP_H
#define SYMBOLIZER_JIT_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/table.h"
#include "symbolizer/strings.h"

/* Pieces of code, and lines, that are kept: 160 MB at most. */
#define SYM_JIT_ROWS (UINT32_C(1) << 22)

struct sym_jit_code {
    uint64_t start, size;
    const char *name;                /* of the map's strings */
    uint32_t first_line, line_count; /* rows of `lines` */
};

/* Where code comes from, from this place in it on. */
struct sym_jit_line {
    uint64_t offset;
    const char *file; /* of the map's strings */
    uint32_t line, discriminator;
};

/*
 * Zeroed is empty; add, then finish, then find. With `wanted` set first, of a
 * perf map, which is as long as a program runs, only what answers for these
 * addresses is kept; of jitdumps all is, but for the code.
 */
struct sym_jit_map {
    const uint64_t *wanted; /* ascending; borrowed; NULL: all */
    uint32_t wanted_count;
    struct sym_strings strings; /* names and files */
    struct table codes; /* struct sym_jit_code, in the order of the files */
    struct table lines; /* struct sym_jit_line; ascending for each code */
    struct table spans; /* owner: row of `codes` */
};

/* A copy of the text that lives as long as the map; NULL when out of memory. */
const char *sym_jit_keep_text(
    struct sym_jit_map *map, const char *text, size_t bytes);

/* Add a piece of code of this name, if it has bytes and one, and there are not
   too many. False: no memory. */
bool sym_jit_add_code(
    struct sym_jit_map *map, struct sym_jit_code code, const char *name);

/* Flatten, after the last add. False: no memory. */
bool sym_jit_map_finish(struct sym_jit_map *map);

/* The code at a runtime address, or NULL. */
const struct sym_jit_code *sym_jit_map_find(
    const struct sym_jit_map *map, uint64_t pc);

/* The line at `pc`, which is in `code`; NULL: not known. */
const struct sym_jit_line *sym_jit_map_line(
    const struct sym_jit_map *map, const struct sym_jit_code *code,
    uint64_t pc);

void sym_jit_map_fini(struct sym_jit_map *map);

#endif
