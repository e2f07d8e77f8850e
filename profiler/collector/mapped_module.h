/* Which module a line of /proc/PID/maps shows. */
#ifndef PROFILER_COLLECTOR_MAPPED_MODULE_H
#define PROFILER_COLLECTOR_MAPPED_MODULE_H

#include <stdint.h>

#include "profiler/collector/build_id.h"
#include "profiler/collector/maps.h"
#include "profiler/model/profile.h"

/*
 * The module of the profile that the bytes behind the line are: a file, by its
 * build-id as well, which is read; the vDSO; or the process's memory. What may
 * be lost before it is looked up is kept. PROF_NONE: there is no memory.
 */
uint32_t prof_mapped_module(
    struct prof_profile *profile, struct prof_build_ids *build_ids,
    uint32_t pid, const struct prof_maps_line *line);

#endif
