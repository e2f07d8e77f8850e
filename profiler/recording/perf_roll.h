/*
 * The roll of processes and threads: who is announced in the file already.
 *
 * A pid begins a new process in the model when it execs. In perf.data the
 * first image of a pid is announced before everything (time 0), and each later
 * one at its start, as an exec.
 */
#ifndef PROFILER_RECORDING_PERF_ROLL_H
#define PROFILER_RECORDING_PERF_ROLL_H

#include "profiler/base/table.h"
#include "profiler/model/profile.h"
#include "profiler/recording/bytes.h"

struct prof_perf_roll {
    struct table process, thread; /* parallel to the profile's */
    struct index pid_index;
    bool is_failed; /* out of memory */
};

void prof_perf_roll_init(struct prof_perf_roll *roll);
void prof_perf_roll_fini(struct prof_perf_roll *roll);

/* Announce what is new, and names that changed since the last call. */
void prof_perf_roll_call(
    struct prof_perf_roll *roll, const struct prof_profile *profile,
    struct prof_buffer *bytes);

/*
 * When a process is what its pid means, half open. The first image of a pid
 * begins at 0.
 */
struct prof_perf_epoch {
    uint64_t from_ns, until_ns;
};

struct prof_perf_epoch prof_perf_roll_epoch(
    const struct prof_perf_roll *roll, uint32_t process);

#endif
