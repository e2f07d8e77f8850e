/*
 * Builds a profile from perf's events, given in order of time: what each
 * address was at that moment, and one sample for each of the chosen event.
 */
#ifndef PROFILER_RECORDING_PERF_BUILDER_H
#define PROFILER_RECORDING_PERF_BUILDER_H

#include "profiler/recording/perf_event.h"
#include "profiler/recording/perf_modules.h"
#include "profiler/recording/perf_people.h"

struct prof_perf_builder {
    struct prof_profile *profile;
    const struct prof_perf_attrs *attrs;
    struct prof_perf_people people;
    struct prof_perf_modules modules;
    struct prof_perf_space kernel; /* its code and modules */
    struct table named; /* frames that a KSYMBOL record of ours names */
    struct index named_index;
    struct table frames;     /* of the sample at hand */
    uint32_t chosen;         /* the event whose samples are kept */
    uint64_t other_samples;  /* of events not chosen */
    uint64_t dumped_samples; /* with a copied stack, which is not unwound */
    bool is_failed;          /* out of memory */
};

/* `attrs` is borrowed, and may grow until the first event. */
void prof_perf_builder_init(
    struct prof_perf_builder *builder, struct prof_profile *profile,
    const struct prof_perf_attrs *attrs);
void prof_perf_builder_fini(struct prof_perf_builder *builder);

/*
 * Choose the event whose samples are kept and declare its value type. Call it
 * once, when all attributes are known.
 */
void prof_perf_builder_choose_event(struct prof_perf_builder *builder);

/* Apply one event. Failure shows in is_failed and in the profile's status. */
void prof_perf_builder_apply(
    struct prof_perf_builder *builder, const struct prof_perf_event *event);

#endif
