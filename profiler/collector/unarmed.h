/*
 * Threads that a guest gives no timer (profiler/agent/guest_timers.h): those
 * that block its signal, and those whose seccomp filters were not judged. They
 * are looked at from outside, and what CPU time they use stands in a frame that
 * says why.
 */
#ifndef PROFILER_COLLECTOR_UNARMED_H
#define PROFILER_COLLECTOR_UNARMED_H

#include <stdint.h>

#include "profiler/collector/target_model.h"

void prof_unarmed_init(struct prof_unarmed *unarmed);
void prof_unarmed_fini(struct prof_unarmed *unarmed);

/* Look which they are, and what they have used. Some 20 us for a thread. */
void prof_unarmed_look(
    struct prof_unarmed *unarmed, struct prof_target *target);

/*
 * Give what they have used, less what samples of them weigh, to the profile;
 * how many they were is noted there.
 */
void prof_unarmed_finish(
    struct prof_unarmed *unarmed, struct prof_target *target);

#endif
