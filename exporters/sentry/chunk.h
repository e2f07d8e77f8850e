/*
 * A profile's samples as `profile_chunk` items, version 2: what Sentry calls
 * continuous profiling. timeline.h says how samples are laid out in time; each
 * chunk holds at most 60 s of it and 50 MiB, which is what a backend takes. It
 * answers 200 and drops what breaks its rules afterwards, so they are kept
 * here:
 *
 *   - a thread's stack stands until the thread's next sample, so one is written
 *     at the beginning of each stretch, and an idle one (an empty stack) at its
 *     end, unless the next begins there;
 *   - a thread with a single sample that is not idle is dropped: its one
 *     stretch is written as two halves;
 *   - all times of a chunk are within 60 s, ends included;
 *   - `in_app` is said of every frame, or it would be false.
 *
 * Names of users in paths are left out, unless the scope says otherwise.
 *
 * The sum of a function's times is, to a microsecond for every stretch, what
 * its samples weigh.
 */
#ifndef EXPORTERS_SENTRY_CHUNK_H
#define EXPORTERS_SENTRY_CHUNK_H

#include <stddef.h>
#include <stdint.h>

#include "exporters/sentry/id.h"
#include "profiler/base/status.h"
#include "profiler/model/profile.h"

struct exp_envelope;
struct exp_scope;
struct exp_timeline;
struct exp_writer;

struct exp_chunk_options {
    const struct exp_scope *scope;
    const char *profiler_id;  /* one for as long as the profiler runs */
    const char *chunk_id;     /* of the first; later ones follow from it */
    uint64_t bytes_max;       /* of a chunk; 0: 50 MiB */
    uint64_t readings_end_ns; /* those from here on go with others; 0: none */
};

/* Gets the payload of one chunk, in the order of time; not OK ends the work. */
typedef enum status exp_chunk_take(
    void *context, const char *payload, size_t bytes, struct diag *diag);

/*
 * Make the chunks of samples `first` to before `last`, with the readings of
 * that time. The profile is symbolized, as far as it will be.
 *
 *   timeline  goes on from here
 *   returns   LIMIT for a time longer than chunks are made for, a week
 */
MUST_CHECK enum status exp_chunks_make(
    const struct prof_profile *profile, struct exp_timeline *timeline,
    uint32_t first, uint32_t last, const struct exp_chunk_options *options,
    exp_chunk_take *take, void *context, struct diag *diag);

/* Add a chunk to an envelope, with the headers it needs. */
void exp_chunk_add(
    struct exp_envelope *envelope, const char *payload, size_t bytes);

/*
 * All chunks of a whole profile, of any origin, under ids of their own.
 */
MUST_CHECK enum status exp_chunks_of_profile(
    const struct prof_profile *profile, const struct exp_scope *scope,
    exp_chunk_take *take, void *context, struct diag *diag);

#endif
