/*
 * How the clock of a target is kept while it runs: its period drawn anew, a
 * thread that was missed found, its rate lowered and raised, its cost told.
 */
#ifndef PROFILER_COLLECTOR_TARGET_CLOCK_H
#define PROFILER_COLLECTOR_TARGET_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/collector/signal_cost.h"
#include "profiler/collector/target_model.h"

/* What turns counts into time. */
struct prof_cost_rates {
    struct prof_signal_cost signal;
    double ns_per_cycle;
};

/*
 * The cycles that these handlers cost. Those that took long were away from the
 * processor and cost what the others did; but where they are more than a
 * sixteenth of all, handlers do take long here, and each costs the limit.
 *
 * A rival on the same processor takes it away every 3 ms and for as long, from
 * handlers of 10 us in 1 of 300: counted, it would be as much as all the rest.
 */
double prof_handled_cycles(const struct prof_handled *handled);

/* Have it said, once, that this one is not sampled while it is traced. */
void prof_target_note_traced(const struct prof_target *target);

/* Arm the clock of a target that has just come; sets its mode. */
void prof_target_arm(struct prof_target *target);

/*
 * Arm again what an exec, a tracer or a rest has stopped, unless another of
 * them still does.
 */
void prof_target_resume(struct prof_target *target);

/*
 * Sampling rests, and goes on; see prof_collector_rest(). At the end, the rest
 * that may be on is counted.
 */
void prof_target_rest(struct prof_target *target);
void prof_target_rouse(struct prof_target *target);
void prof_target_count_rest(struct prof_target *target, uint64_t total_ns);

/* Whether its agent has ended the rest, for a transaction starts. */
bool prof_target_is_roused(const struct prof_target *target);

/* From now on sample with this period. */
void prof_target_set_period(struct prof_target *target, uint64_t period_ns);

/*
 * Go over from perf events to timers, for good; false where that may not be, as
 * a seccomp filter might not bear it.
 */
bool prof_target_change_clock(struct prof_target *target);

/* Between drains: what else the clock needs. */
void prof_target_tend_clock(struct prof_target *target);

/*
 * What sampling has cost since the last call, and what the target has used;
 * both 0 when nothing is known. What the target says is not believed beyond
 * what it used.
 */
void prof_target_tell_cost(
    struct prof_target *target, const struct prof_cost_rates *rates,
    uint64_t *cost_ns, uint64_t *cpu_ns);

#endif
