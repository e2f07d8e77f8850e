/*
 * The feature sections of a recording: what `perf report --header` shows, the
 * build-ids, and the annex.
 */
#ifndef PROFILER_RECORDING_PERF_FEATURE_H
#define PROFILER_RECORDING_PERF_FEATURE_H

#include "profiler/model/profile.h"
#include "profiler/recording/bytes.h"
#include "profiler/recording/perf_attr.h"
#include "profiler/recording/perf_format.h"
#include "profiler/recording/perf_modules.h"

struct perf_feature_facts {
    const struct prof_profile *profile;
    const struct perf_event_attr *attr; /* the event, as the file has it */
    const char *event_name;
    uint64_t first_ns, last_ns;           /* of the samples */
    uint64_t annex_rows, annex_row_bytes; /* of the samples, in the annex */
};

/*
 * Append the table of sections and the sections, to stand at `offset` in the
 * file, and set the bits of those present. The last is the annex, of which the
 * samples and the tail are the caller's to add.
 *
 *   returns  where in `bytes` the annex begins
 */
size_t prof_perf_put_features(
    struct prof_buffer *bytes, uint64_t offset,
    const struct perf_feature_facts *facts, uint64_t bits[PERF_FEATURE_WORDS]);

/* Where what is read goes; all borrowed. */
struct prof_perf_feature_sink {
    struct prof_profile *profile;      /* its origin */
    struct prof_perf_attrs *attrs;     /* names of events */
    struct prof_perf_modules *modules; /* build-ids */
};

/* Read one section; what is cut short or not known leaves things as is. */
void prof_perf_feature_read(
    const struct prof_perf_feature_sink *sink, uint64_t feature,
    struct prof_cursor data);

/* The same for one build-id: what follows the header of its record. */
void prof_perf_feature_read_build_id(
    const struct prof_perf_feature_sink *sink, uint16_t misc,
    struct prof_cursor body);

#endif
