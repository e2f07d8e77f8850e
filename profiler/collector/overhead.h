/*
 * The cost of sampling all targets, and the rate that it allows. What the
 * handlers say they took is measured there; the interrupt and the signal are
 * measured here, once, when first a cost is to be judged.
 */
#ifndef PROFILER_COLLECTOR_OVERHEAD_H
#define PROFILER_COLLECTOR_OVERHEAD_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/collector/governor.h"
#include "profiler/collector/target_clock.h"

struct prof_overhead {
    struct prof_governor governor;
    struct prof_cost_rates rates;
    uint64_t start_ns, start_cycles; /* what relates one to the other */
    uint64_t next_ns;                /* the next look */
    bool is_measured;
};

void prof_overhead_init(
    struct prof_overhead *overhead, double limit, uint64_t period_ns);

/*
 * Look at what the targets of this list have cost. Whether the period that
 * overhead->governor has in force is another now; it was given to all.
 */
bool prof_overhead_judge(
    struct prof_overhead *overhead, struct prof_target *targets);

/*
 * For a person: what was done about the cost. False, and nothing, where
 * nothing was.
 */
bool prof_overhead_tell(
    const struct prof_overhead *overhead, char *text, uint32_t bytes);

#endif
