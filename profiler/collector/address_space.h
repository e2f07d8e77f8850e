/*
 * Which file's bytes stood at an address of a process, and when.
 *
 * Filled from /proc/PID/maps and from what the agent publishes around dlclose.
 * A mapping is valid from the end of what stood there before until something
 * else, or nothing, is found in its place.
 */
#ifndef PROFILER_COLLECTOR_ADDRESS_SPACE_H
#define PROFILER_COLLECTOR_ADDRESS_SPACE_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/table.h"
#include "profiler/collector/build_id.h"
#include "profiler/collector/maps.h"
#include "profiler/model/profile.h"

struct prof_address_space {
    struct prof_profile *profile; /* borrowed */
    struct prof_build_ids *build_ids;
    uint32_t process; /* in the profile */
    uint32_t pid;
    struct table mappings; /* struct prof_space_mapping, by start, then from */
    uint64_t generation;   /* changes with every change of the table */
};

struct prof_space_mapping {
    uint64_t start, end, offset;
    uint64_t from_ns, to_ns; /* to_ns is UINT64_MAX while it stands */
    uint32_t module;         /* in the profile */
    uint32_t mapping;        /* in the profile */
};

void prof_address_space_init(
    struct prof_address_space *space, struct prof_profile *profile,
    struct prof_build_ids *build_ids, uint32_t process, uint32_t pid);
void prof_address_space_fini(struct prof_address_space *space);

/*
 * The text of /proc/PID/maps, the caller's to free; NULL when the process is
 * gone or may not be read.
 */
char *prof_address_space_read(const struct prof_address_space *space);

/*
 * Bring in such a text, read at `now_ns`. What is known stays; what differs
 * replaces it from then on. The text is changed.
 */
void prof_address_space_apply(
    struct prof_address_space *space, char *maps, uint64_t now_ns);

/* The same of one line, which was mapped at `now_ns`, or found then. */
void prof_address_space_map(
    struct prof_address_space *space, const struct prof_maps_line *line,
    uint64_t now_ns);

/* Into an empty one: what stood in that of a parent at a fork. */
void prof_address_space_copy(
    struct prof_address_space *space, const struct prof_address_space *from,
    uint64_t when_ns);

/* A mapping the agent tells of; ignored when it is known already. */
void prof_address_space_add(
    struct prof_address_space *space, uint64_t start, uint64_t end,
    uint64_t offset, const struct prof_module *module);

/* Nothing stands in [start, end) from `when_ns` on. */
void prof_address_space_remove(
    struct prof_address_space *space, uint64_t start, uint64_t end,
    uint64_t when_ns);

/* What stood at `pc` at `when_ns`; NULL when nothing known did. */
const struct prof_space_mapping *prof_address_space_find(
    const struct prof_address_space *space, uint64_t pc, uint64_t when_ns);

/*
 * The frame of the profile for `pc`, which `at` was found for; NULL: an address
 * in no known module, which is counted as such. PROF_NONE for what is not the
 * program's: our own library's wrapper around a thread's start.
 */
uint32_t prof_address_space_frame(
    struct prof_address_space *space, const struct prof_space_mapping *at,
    uint64_t pc);

#endif
