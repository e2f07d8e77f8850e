/*
 * The process whose threads are looked at (thread_looks.h), as those who look
 * know it. Whoever samples it owns it, and tells of it here.
 */
#ifndef PROFILER_COLLECTOR_LOOKED_PROCESS_H
#define PROFILER_COLLECTOR_LOOKED_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/model/profile.h"

/* Whether what /proc shows of the process is the image that is looked at. */
enum prof_looked_image {
    PROF_LOOKED_PRESENT,
    PROF_LOOKED_LEAVING, /* it may be another one already, in an exec */
    PROF_LOOKED_REPLACED,
};

/* What is known of a thread beside the looks at it. */
struct prof_looked_row {
    uint32_t thread;   /* in the profile */
    uint64_t given_ns; /* weights of the samples it had while it ran */
};

struct prof_looked_process {
    uint32_t pid;
    struct prof_profile *profile;
    uint32_t value_wall, value_samples; /* columns */
    uint64_t *sample_count;             /* of the recording */
    void *owner;

    /* Whether the thread is one of those that are watched. */
    bool (*is_watched)(const void *owner, uint32_t tid);

    /* The owner's number of a thread, made on first sight; or TABLE_NONE. */
    uint32_t (*number)(void *owner, uint32_t tid);
    struct prof_looked_row (*row)(const void *owner, uint32_t number);

    enum prof_looked_image (*image)(const void *owner);

    /* Changes when something else is mapped. */
    uint64_t (*version)(const void *owner);

    /* The stack that these words make in the profile, as of `when_ns`. */
    uint32_t (*stack)(
        void *owner, const uint64_t *words, uint32_t count, uint64_t when_ns);
};

#endif
