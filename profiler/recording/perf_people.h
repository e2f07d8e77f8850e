/*
 * Processes and threads as records tell of them: COMM, FORK, EXIT.
 *
 * A pid begins a new process in the profile when it is forked again or when it
 * execs, unless the image before had no sample: `perf record` itself starts
 * each program it runs, and nobody looks for that image.
 */
#ifndef PROFILER_RECORDING_PERF_PEOPLE_H
#define PROFILER_RECORDING_PERF_PEOPLE_H

#include "profiler/base/table.h"
#include "profiler/model/profile.h"
#include "profiler/recording/perf_event.h"
#include "profiler/recording/perf_space.h"

/*
 * Areas that forks may copy, in all. A fork takes 48 bytes of a file and may
 * copy 65 536 areas: without a limit a small file would fill the memory. The
 * addresses of a child beyond it count as unmapped.
 */
#define PERF_PEOPLE_COPIES_MAX (1u << 24)

/* What a pid is at the moment. */
struct prof_perf_image {
    uint32_t pid;
    uint32_t process; /* the profile's row */
    bool has_samples;
    struct prof_perf_space space;
};

struct prof_perf_people {
    struct prof_profile *profile;
    struct table image, thread;
    struct index image_index, thread_index;
    uint32_t copies;
    bool is_failed; /* out of memory */
};

void prof_perf_people_init(
    struct prof_perf_people *people, struct prof_profile *profile);
void prof_perf_people_fini(struct prof_perf_people *people);

/*
 * The image of a pid, made when it is new; NULL when out of memory. Valid
 * until the next call.
 */
struct prof_perf_image *prof_perf_people_image(
    struct prof_perf_people *people, uint32_t pid);

/* The profile's row of a thread of that image. */
uint32_t prof_perf_people_thread(
    struct prof_perf_people *people, uint32_t pid, uint32_t tid);

void prof_perf_people_comm(
    struct prof_perf_people *people, const struct prof_perf_event *event);
void prof_perf_people_fork(
    struct prof_perf_people *people, const struct prof_perf_event *event);
void prof_perf_people_exit(
    struct prof_perf_people *people, const struct prof_perf_event *event);

#endif
