/*
 * Code that a program copied from its file to memory without one, and put in
 * the file's place: what large services do to have it on huge pages. The
 * kernel's list has no name for it any more.
 */
#ifndef PROFILER_COLLECTOR_LIFTED_H
#define PROFILER_COLLECTOR_LIFTED_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/collector/maps.h"

/*
 * Whether the bytes at `line`, which has no file, are those of the file of
 * another line from `offset` on, by some samples of both.
 */
bool prof_lifted_is_from(
    uint32_t pid, const struct prof_maps_line *line,
    const struct prof_maps_line *file, uint64_t offset);

#endif
