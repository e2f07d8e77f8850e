/* Files that runtimes wrote: perf maps and jitdumps. */
#ifndef SYMBOLIZER_JIT_FILE_H
#define SYMBOLIZER_JIT_FILE_H

#include <stddef.h>

#include "profiler/base/status.h"
#include "symbolizer/jit_map.h"

/*
 * Add a file, as its first bytes say which kind it is. Lines and records that
 * are damaged are passed over.
 *
 *   user     whose it may be, beside root's and our own: anybody may put a
 *            file under a name in /tmp
 *   errors   SYSTEM: there is no such file; UNSUPPORTED: it is no regular
 *            file; NOT_PERMITTED: another user's; NO_MEMORY
 */
MUST_CHECK enum status sym_jit_map_add_file(
    struct sym_jit_map *map, const char *path, uint32_t user,
    struct diag *diag);

/* The same from a copy of memory; no file is named. */
MUST_CHECK enum status sym_jit_map_add_bytes(
    struct sym_jit_map *map, const void *bytes, size_t count);

#endif
