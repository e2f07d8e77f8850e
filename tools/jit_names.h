/* Where runtimes wrote down the names of the code they made in memory. */
#ifndef TOOLS_JIT_NAMES_H
#define TOOLS_JIT_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "profiler/collector/kept_files.h"
#include "profiler/model/profile.h"
#include "symbolizer/jit_map.h"

/*
 * Add to a map what there is for an anonymous module of a profile: the
 * process's own /tmp/perf-PID.map, by the pid it has there; the one in our
 * /tmp; and every jitdump ("jit-PID.dump") that it mapped, as the specification
 * wants it to, or left in one of the two.
 *
 *   kept     knows where a process has its /tmp that is gone by now; NULL: only
 *            those that run are asked
 *
 *   errors   NO_MEMORY; that there is nothing to read is none
 */
MUST_CHECK enum status jit_names_read(
    struct sym_jit_map *map, const struct prof_profile *profile,
    uint32_t module, const struct prof_kept_files *kept);

#endif
