/*
 * The governor: keeps the measured cost of sampling below a share of the CPU
 * time that the program uses, by lowering the rate, and raises it when there
 * is room again. It only decides; its owner measures and arms.
 *
 * A cost is judged over a while, at least 100 ms and fifty periods, and a
 * whole second unless it is twice the limit: what is shorter is chance. Above
 * the limit the period grows to where the same work would cost nine tenths of
 * it. Below seven tenths it shrinks, to 85 %, and not before two seconds have
 * passed: arming anew costs something too, and a program that changes its ways
 * must not be followed at every turn.
 *
 * No limit is above 90 %: where handling a sample takes longer than a period,
 * the next one is due at once, and the program gets nowhere. All of the time
 * is the most that can be measured then, whatever the cost would be, so above
 * 95 % the period doubles without delay.
 *
 * Twice the limit is thus borne for at most a second, and whatever has been in
 * force for a second or more is below the limit.
 */
#ifndef PROFILER_COLLECTOR_GOVERNOR_H
#define PROFILER_COLLECTOR_GOVERNOR_H

#include <stdbool.h>
#include <stdint.h>

struct prof_governor {
    double limit;             /* cost over CPU time, at most 0.9 */
    uint64_t asked_ns;        /* the period that was asked for */
    uint64_t period_ns;       /* the one in force */
    uint64_t longest_ns;      /* that ever was */
    uint64_t since_ns;        /* when it came into force; 0: not yet */
    uint64_t cost_ns, cpu_ns; /* since then */
    double worst;             /* the cost that lowered the rate first */
    double settled;           /* the cost at the present rate, over a second
                                 and more; 0: it is not in force so long */
};

void prof_governor_init(
    struct prof_governor *governor, double limit, uint64_t period_ns);

/*
 * Sampling has cost `cost_ns` while the program used `cpu_ns`, since the last
 * call. Returns whether governor->period_ns has changed.
 */
bool prof_governor_feed(
    struct prof_governor *governor, uint64_t cost_ns, uint64_t cpu_ns,
    uint64_t now_ns);

#endif
