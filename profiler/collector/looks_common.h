/* What the looks at the threads of one recording share (thread_looks.h). */
#ifndef PROFILER_COLLECTOR_LOOKS_COMMON_H
#define PROFILER_COLLECTOR_LOOKS_COMMON_H

#include <stdint.h>

#include "profiler/base/status.h"
#include "profiler/collector/image_cache.h"
#include "profiler/collector/task_files.h"

struct prof_looks_common {
    struct prof_image_cache images;
    struct prof_task_limit limit;
    uint64_t tick_ns;      /* between two looks */
    uint64_t thread_count; /* that are looked at */
    uint64_t looked_ns;    /* the last time */
    uint64_t random;       /* for jitter */
    struct diag refusal;   /* of a look; STATUS_OK: none was refused */
};

void prof_looks_common_init(
    struct prof_looks_common *common, uint64_t period_ns);
void prof_looks_common_fini(struct prof_looks_common *common);

/* How long all looks at `now_ns` may take, after those before. */
uint64_t prof_looks_budget_ns(
    struct prof_looks_common *common, uint64_t now_ns);

#endif
