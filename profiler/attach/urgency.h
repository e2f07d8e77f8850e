/*
 * A thread that runs before all others for a moment.
 *
 * To be held for some calls, a thread must get a processor for each of them.
 * Measured among 30 busy threads on two processors: 4 to 1 000 ms for what
 * takes 0.2 ms, and with this, 0.2 to 1 ms. Where the system does not permit it
 * (CAP_SYS_NICE), nothing happens.
 */
#ifndef PROFILER_ATTACH_URGENCY_H
#define PROFILER_ATTACH_URGENCY_H

#include <stdbool.h>
#include <stdint.h>

/* As the kernel defines it for sched_setattr(2). */
struct prof_sched_attr {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
    uint32_t util_min, util_max;
};

struct prof_urgency {
    uint32_t tid;
    bool is_raised;
    struct prof_sched_attr before;
};

/* `tid` 0 is the calling thread. Threads that it makes are as it was. */
void prof_urgency_raise(struct prof_urgency *urgency, uint32_t tid);

/* Put the calling thread ahead of who is as it is, by `steps` of nice. */
void prof_urgency_lead(struct prof_urgency *urgency, int steps);

/*
 * The calling thread goes before all others until it ends, and its pauses are
 * as short as they say. It is one that holds threads: while it does, one of the
 * program waits for us, and we for the processor. Where that is not permitted,
 * it asks for a short slice, for which Linux 6.12 and later let it begin
 * sooner.
 */
void prof_urgency_keep(void);

/* As before, to the letter. */
void prof_urgency_restore(struct prof_urgency *urgency);

#endif
