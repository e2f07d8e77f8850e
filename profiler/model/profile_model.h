/* What a profile is made of, for the files that are the profile. */
#ifndef PROFILER_MODEL_PROFILE_MODEL_H
#define PROFILER_MODEL_PROFILE_MODEL_H

#include "profiler/base/table.h"
#include "profiler/model/profile.h"
#include "profiler/model/samples.h"
#include "profiler/model/strings.h"

struct prof_profile {
    enum status status;
    struct prof_strings strings;
    struct table value_type, module, mapping, process, thread;
    struct table frame, line, stack, note, reading;
    struct prof_samples samples;
    struct index module_index, frame_index, stack_index;
    struct prof_origin origin;
    uint64_t loss[PROF_LOSS_COUNT];
};

/* The failure that sticks: there is no memory. PROF_NONE. */
uint32_t prof_profile_give_up(struct prof_profile *profile);

/* The id of a row that was added to one of the tables, or PROF_NONE. */
uint32_t prof_profile_add_row(
    struct prof_profile *profile, struct table *table, const void *row);

#endif
