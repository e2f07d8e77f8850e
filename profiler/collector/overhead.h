/*
 * The cost of sampling all targets, and what it allows: the rate of all, and
 * perf events for each. What the handlers say they took is measured there; the
 * interrupt and the signal are measured here, once, when first a cost is to be
 * judged.
 *
 * With an event on it, a thread pays for each switch, whatever the rate.
 * Measured in a virtual machine, two processes that play ping-pong through a
 * pipe took 3.5 to 4.5 times their CPU time at 997 Hz, and 1.4 to 1.6 at 99 Hz.
 * A target whose switches cost more than the limit goes over to timers, which
 * cost nothing there. One that makes few is not looked at closer; for the
 * others, what one costs here is measured. Threads of one process that fill
 * their processors are switched among themselves, and keep their events: those
 * cost 0.5 to 2.2 us a round then, timers 0.2 to 1.6.
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
    bool is_any_cost_borne;    /* the limit is all of the time */
    uint64_t switch_ns;        /* what a switch costs; 0: not measured */
    uint64_t switch_period_ns; /* and with which period */
    uint32_t changed_count;    /* targets that went over to timers */
    double changed_worst;      /* share of its CPU time of the worst of them */
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
