/* The reader, ahead of others; see the header. */
#include "profiler/tap/lead.h"

#include <time.h>
#include <unistd.h>

#include "profiler/base/clock.h"

enum { STEPS = 10, SHARE = 10 };

#define MOST_NS INT64_C(200000000) /* in hand */

void prof_tap_lead_begin(struct prof_tap_lead *lead)
{
    if (lead->processor_count > 0)
        return;
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    *lead = (struct prof_tap_lead){
        .processor_count = online > 0 ? (uint32_t)online : 1,
        .wall_ns = clock_now_ns(CLOCK_MONOTONIC),
        .cpu_ns = clock_now_ns(CLOCK_THREAD_CPUTIME_ID),
        .in_hand_ns = MOST_NS};
    prof_urgency_lead(&lead->urgency, STEPS);
}

bool prof_tap_lead_judge(
    struct prof_tap_lead *lead, uint64_t wall_ns, uint64_t cpu_ns)
{
    uint64_t earned_ns =
        (wall_ns - lead->wall_ns) / SHARE * lead->processor_count;
    lead->in_hand_ns += (int64_t)earned_ns - (int64_t)(cpu_ns - lead->cpu_ns);
    if (lead->in_hand_ns > MOST_NS)
        lead->in_hand_ns = MOST_NS;
    lead->wall_ns = wall_ns;
    lead->cpu_ns = cpu_ns;
    /* Not for every nanosecond that is earned anew. */
    lead->is_spent = lead->in_hand_ns <= (lead->is_spent ? MOST_NS / 2 : 0);
    return !lead->is_spent;
}

void prof_tap_lead_tend(struct prof_tap_lead *lead)
{
    if (lead->processor_count == 0)
        return;
    bool may_lead = prof_tap_lead_judge(
        lead, clock_now_ns(CLOCK_MONOTONIC),
        clock_now_ns(CLOCK_THREAD_CPUTIME_ID));
    if (may_lead && !lead->urgency.is_raised)
        prof_urgency_lead(&lead->urgency, STEPS);
    else if (!may_lead)
        prof_urgency_restore(&lead->urgency);
}

void prof_tap_lead_end(struct prof_tap_lead *lead)
{
    prof_urgency_restore(&lead->urgency);
    lead->processor_count = 0;
}
