/*
 * The code that is mapped in a process now, as /proc/PID/maps has it: a line
 * for each mapping, in the place of what it covers.
 */
#ifndef PROFILER_TAP_MAPPED_H
#define PROFILER_TAP_MAPPED_H

#include <stdint.h>

#include "profiler/base/table.h"
#include "profiler/collector/maps.h"
#include "profiler/model/profile.h"

struct prof_tap_mapped {
    struct prof_profile *profile; /* whose strings the paths are; borrowed */
    struct table lines;
};

void prof_tap_mapped_init(
    struct prof_tap_mapped *mapped, struct prof_profile *profile);
void prof_tap_mapped_fini(struct prof_tap_mapped *mapped);

/* Note what is mapped; beyond PROF_LIMIT_MAPPINGS nothing is. */
void prof_tap_mapped_note(
    struct prof_tap_mapped *mapped, const struct prof_maps_line *line);

/* Note all that `parent` has: its child begins with it. */
void prof_tap_mapped_inherit(
    struct prof_tap_mapped *mapped, const struct prof_tap_mapped *parent);

/* Line `index` of `lines.count`; its path is valid as the profile's strings. */
struct prof_maps_line prof_tap_mapped_line(
    const struct prof_tap_mapped *mapped, uint32_t index);

#endif
