/* The governor: how the rate follows the cost. */
#include "profiler/collector/governor.h"

enum {
    PERIODS_MIN = 50,
    JUDGED_MIN_NS = 100000000,
    MILD_MIN_NS = 1000000000,
    RAISED_MIN_NS = 2000000000,
};

static const double mild_below = 2, aimed_below = 0.9, raised_below = 0.7,
                    aimed_above = 0.85, change_min = 0.1, limit_max = 0.9,
                    starved_above = 0.95, starved_factor = 2;

void prof_governor_init(
    struct prof_governor *governor, double limit, uint64_t period_ns)
{
    *governor = (struct prof_governor){
        .limit = limit < limit_max ? limit : limit_max,
        .asked_ns = period_ns,
        .period_ns = period_ns,
        .longest_ns = period_ns};
}

static void put_in_force(
    struct prof_governor *governor, uint64_t period_ns, uint64_t now_ns)
{
    if (period_ns != governor->period_ns)
        governor->settled = 0;
    governor->period_ns = period_ns;
    governor->since_ns = now_ns;
    governor->cost_ns = governor->cpu_ns = 0;
    if (period_ns > governor->longest_ns)
        governor->longest_ns = period_ns;
}

bool prof_governor_feed(
    struct prof_governor *governor, uint64_t cost_ns, uint64_t cpu_ns,
    uint64_t now_ns)
{
    if (governor->since_ns == 0)
        governor->since_ns = now_ns;
    governor->cost_ns += cost_ns < cpu_ns ? cost_ns : cpu_ns;
    governor->cpu_ns += cpu_ns;
    uint64_t age_ns = now_ns - governor->since_ns;
    if (age_ns < JUDGED_MIN_NS ||
        governor->cpu_ns < PERIODS_MIN * governor->period_ns)
        return false;

    double cost = (double)governor->cost_ns / (double)governor->cpu_ns;
    double factor = 1;
    bool is_starved = cost > starved_above;
    if (age_ns >= MILD_MIN_NS)
        governor->settled = cost;
    if (!is_starved && cost > governor->limit &&
        cost < mild_below * governor->limit && age_ns < MILD_MIN_NS)
        return false;
    if (cost > governor->limit)
        factor = cost / governor->limit / aimed_below;
    else if (
        age_ns >= RAISED_MIN_NS && cost < raised_below * governor->limit &&
        governor->period_ns > governor->asked_ns)
        factor = cost / governor->limit / aimed_above;
    else if (age_ns >= RAISED_MIN_NS)
        put_in_force(governor, governor->period_ns, now_ns);
    if (is_starved && factor < starved_factor)
        factor = starved_factor;

    uint64_t period_ns = (uint64_t)(factor * (double)governor->period_ns);
    if (period_ns < governor->asked_ns)
        period_ns = governor->asked_ns;
    double change = (double)period_ns / (double)governor->period_ns - 1;
    if (factor == 1 || (change < change_min && change > -change_min))
        return false;
    if (governor->worst == 0)
        governor->worst = cost;
    put_in_force(governor, period_ns, now_ns);
    return true;
}
