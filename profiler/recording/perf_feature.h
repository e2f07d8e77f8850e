/*
 * The feature sections of a recording: what `perf report --header` shows, the
 * build-ids, and the annex.
 */
#ifndef PROFILER_RECORDING_PERF_FEATURE_H
#define PROFILER_RECORDING_PERF_FEATURE_H

#include "profiler/profile.h"
#include "profiler/recording/bytes.h"
#include "profiler/recording/perf_format.h"

struct perf_feature_facts {
    const struct prof_profile *profile;
    const struct perf_event_attr *attr; /* the event, as the file has it */
    const char *event_name;
    uint64_t first_ns, last_ns; /* of the samples */
};

/*
 * Append the table of sections and the sections, to stand at `offset` in the
 * file, and set the bits of those present.
 */
void prof_perf_put_features(
    struct prof_bytes *bytes, uint64_t offset,
    const struct perf_feature_facts *facts, uint64_t bits[PERF_FEATURE_WORDS]);

#endif
