/* What all processes that are sampled from outside share. */
#ifndef PROFILER_TAP_COMMON_H
#define PROFILER_TAP_COMMON_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/table.h"
#include "profiler/collector/build_id.h"
#include "profiler/collector/image_cache.h"
#include "profiler/collector/looks_common.h"
#include "profiler/model/profile.h"

struct prof_tap_common {
    struct prof_profile *profile;
    struct prof_build_ids build_ids;
    struct prof_image_cache images;
    uint32_t value_cpu, value_samples; /* columns */
    uint64_t period_ns;
    bool is_by_thread;  /* of a process only some threads are watched */
    bool is_steered;    /* samples are taken by the processors' clocks */
    bool is_untold;     /* no record tells of what is mapped: it is read */
    bool has_go;        /* a thread was seen in code of Go */
    bool is_behind;     /* the rings fill up: no time for what is not in them */
    bool is_wall;       /* sleep counts too; see sleepers.h */
    uint64_t unread_ns; /* of CPU time, at most, samples still unread are for */
    uint32_t value_wall;            /* column */
    struct prof_looks_common looks; /* of is_wall */
    uint32_t looked_pid;            /* who comes first the next time */
    uint64_t sample_count;
    struct table rests;    /* struct prof_tap_rest, of who has ended */
    uint32_t unread_count; /* of them, whose CPU clock was never read to the
                              end, as they were gone too soon */
};

/* What an account has in the end. */
struct prof_tap_rest {
    uint32_t process, thread; /* in the profile; the first thread */
    uint64_t time_ns;
    uint64_t used_ns, given_ns; /* by its CPU clock, and to samples */
};

void prof_tap_common_init(
    struct prof_tap_common *common, struct prof_profile *profile,
    uint64_t period_ns, bool is_wall);
void prof_tap_common_fini(struct prof_tap_common *common);

#endif
