/* What the looks at the threads of one recording share. */
#include "profiler/collector/looks_common.h"

#include "profiler/base/clock.h"

/* Closer looks cost more wake-ups of the collector than they tell. */
#define LOOK_NS    UINT64_C(5000000)
#define LOOK_SHARE 50 /* one part in so many of a CPU */

/* The time of so many ticks may be saved up. */
enum { TICKS_AT_ONCE = 20 };

void prof_looks_common_init(
    struct prof_looks_common *common, uint64_t period_ns)
{
    *common = (struct prof_looks_common){
        .limit = prof_task_limit_make(),
        .tick_ns = period_ns > LOOK_NS ? period_ns : LOOK_NS,
        .random = clock_now_ns(CLOCK_MONOTONIC)};
    prof_image_cache_init(&common->images);
}

void prof_looks_common_fini(struct prof_looks_common *common)
{
    prof_image_cache_fini(&common->images);
}

uint64_t prof_looks_budget_ns(struct prof_looks_common *common, uint64_t now_ns)
{
    uint64_t passed_ns = now_ns - common->looked_ns;
    if (passed_ns > TICKS_AT_ONCE * common->tick_ns)
        passed_ns = TICKS_AT_ONCE * common->tick_ns;
    common->looked_ns = now_ns;
    return passed_ns / LOOK_SHARE;
}
