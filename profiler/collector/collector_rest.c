/* Sampling that rests while nobody wants samples. */
#include "profiler/collector/collector_model.h"

void prof_collector_rouse(struct prof_collector *collector)
{
    if (!collector->common.is_at_rest ||
        collector->common.wish != PROF_SAMPLES_BY_SPAN)
        return;
    collector->common.is_at_rest = false;
    for (struct prof_target *at = collector->targets; at; at = at->next)
        prof_target_rouse(at);
}

void prof_collector_rest(struct prof_collector *collector)
{
    if (collector->common.is_at_rest ||
        collector->common.wish != PROF_SAMPLES_BY_SPAN)
        return;
    collector->common.is_at_rest = true;
    for (struct prof_target *at = collector->targets; at; at = at->next)
        prof_target_rest(at);
}

void prof_collector_look_for_roused(struct prof_collector *collector)
{
    for (struct prof_target *at = collector->targets; at; at = at->next) {
        if (prof_target_is_roused(at))
            prof_collector_rouse(collector);
    }
}
