/*
 * The executable mappings of one process while records are read: what is at
 * an address now. Mappings replace what they overlap, as mmap() does.
 */
#ifndef PROFILER_RECORDING_PERF_SPACE_H
#define PROFILER_RECORDING_PERF_SPACE_H

#include "profiler/base/table.h"
#include "profiler/model/profile.h"

/* Linux allows 65 530 in a process; what comes on top is not kept. */
#define PERF_SPACE_MAX 65536

struct prof_perf_area {
    uint64_t start, end;
    uint64_t offset; /* in the file, of `start` */
    uint32_t module;
    uint32_t mapping; /* the profile's row; PROF_NONE: inherited from the
                         parent, and not needed so far */
    bool is_stale;    /* of the image before */
};

struct prof_perf_space {
    struct prof_perf_area *areas; /* sorted, without overlap */
    uint32_t count, capacity;
};

void prof_perf_space_fini(struct prof_perf_space *space);

/* Forget all; the profile's rows end at `time_ns`. */
void prof_perf_space_clear(
    struct prof_perf_space *space, struct prof_profile *profile,
    uint64_t time_ns);

/*
 * End all rows, as execve() does, but keep the areas until the next time: a
 * sample taken within execve() still has the old image's callers.
 */
void prof_perf_space_exec(
    struct prof_perf_space *space, struct prof_profile *profile,
    uint64_t time_ns);

/*
 * Map `area` from `time_ns` on, with a row of the profile for the process;
 * PROF_NONE makes none. False when out of memory.
 */
bool prof_perf_space_map(
    struct prof_perf_space *space, struct prof_profile *profile,
    uint32_t process, const struct prof_perf_area *area, uint64_t time_ns);

/* A child's copy, as fork() makes it. False when out of memory. */
bool prof_perf_space_copy(
    struct prof_perf_space *space, const struct prof_perf_space *parent);

/*
 * The area at an address, or NULL; valid until the next call of another kind.
 * An inherited one becomes a row of the profile, from `from_ns` on.
 */
const struct prof_perf_area *prof_perf_space_find(
    struct prof_perf_space *space, struct prof_profile *profile,
    uint32_t process, uint64_t address, uint64_t from_ns);

#endif
