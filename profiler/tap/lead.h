/*
 * The reader of the rings, a few steps ahead of those it was started among.
 *
 * On a machine that is full, its turn comes late and is short, and what the
 * rings cannot hold until then is lost. So it is ten steps of nice ahead, which
 * makes its share of a processor nine times that of a neighbour, and has it run
 * within milliseconds of when it wants to.
 *
 * It takes no more for that than a tenth of the processors' time, with a fifth
 * of a second in hand: who uses it up goes on as one among others, until there
 * is something in hand again. A real-time policy would have no such measure.
 * Where the system does not permit it (CAP_SYS_NICE, RLIMIT_NICE) nothing
 * happens.
 */
#ifndef PROFILER_TAP_LEAD_H
#define PROFILER_TAP_LEAD_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/attach/urgency.h"

struct prof_tap_lead {
    struct prof_urgency urgency; /* raised while it is ahead */
    uint32_t processor_count;    /* 0: it is not led at all */
    uint64_t wall_ns, cpu_ns;    /* when it was looked at last */
    int64_t in_hand_ns;
    bool is_spent; /* until half of it is in hand again */
};

/* The calling thread is the reader from now on. Calls after the first one do
 * nothing. */
void prof_tap_lead_begin(struct prof_tap_lead *lead);

/* Now and then, by the reader: go ahead, or fall back. */
void prof_tap_lead_tend(struct prof_tap_lead *lead);

/* As it was before. */
void prof_tap_lead_end(struct prof_tap_lead *lead);

/*
 * Whether the reader may be ahead, who has used `cpu_ns` when the time is
 * `wall_ns`.
 */
bool prof_tap_lead_judge(
    struct prof_tap_lead *lead, uint64_t wall_ns, uint64_t cpu_ns);

#endif
