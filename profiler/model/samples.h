/*
 * The samples of a profile: one by one, in the order they arrived, until they
 * are summed. Sums keep what no order in time is needed for, one row for each
 * distinct stack, so that a recording may go on for days.
 *
 * Part of the profile model, and known to nobody else.
 */
#ifndef PROFILER_MODEL_SAMPLES_H
#define PROFILER_MODEL_SAMPLES_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/table.h"
#include "profiler/model/rows.h"

struct prof_samples {
    struct table sum;      /* struct prof_sample */
    struct table single;   /* the same, not summed yet */
    struct index sums;     /* of `sum` */
    struct table stand_in; /* one thread for each process, by its id */
    uint64_t summed_count; /* that were singles once */
};

void prof_samples_init(struct prof_samples *samples);
void prof_samples_fini(struct prof_samples *samples);

/*
 * Sum the first `count` singles: add each to the row of its stack, state and
 * flags, and of its thread, or, unless `threads_apart`, of its process. False
 * when out of memory: what was not summed is single still.
 */
bool prof_samples_sum(
    struct prof_samples *samples, uint32_t count, const struct table *threads,
    bool threads_apart);

/* Forget the singles at the front that are older than `before_ns`. */
void prof_samples_forget(struct prof_samples *samples, uint64_t before_ns);

#endif
