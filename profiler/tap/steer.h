/*
 * What a sample weighs that the clock of a processor has taken.
 *
 * It stands for a period on average only: a thread that is on a processor for
 * part of the time is met by chance. But what its process uses is known, by
 * the process's own CPU clock; so weights are steered by it, a sample's by half
 * a period at most, until both agree (a ratio estimator: Cochran, Sampling
 * Techniques, ch. 6). What is owed does not depend on where the process was
 * when its next sample came, so no function is favoured.
 *
 * What is owed beyond what chance makes of as many samples is none, and stays
 * [unsampled]: samples that were lost, or time that no clock can meet. Of the
 * latter there is much where a program sets a timer that is due before ours,
 * which in a virtual machine takes 10 us and more, and happens only when ours
 * is not due meanwhile. A thread that computed and napped for 20 us in turns
 * had 27 % of the samples that its time in the kernel should have had; poured
 * over all, that made 65 to 70 % computing of 46 by its own clock.
 */
#ifndef PROFILER_TAP_STEER_H
#define PROFILER_TAP_STEER_H

#include <stdint.h>

struct prof_tap_steer {
    int64_t owed_ns;     /* used, and of no sample; or less than nothing */
    int64_t steered_ns;  /* what all have weighed beyond their periods */
    uint64_t forgone_ns; /* of samples that were lost, or could not be */
    uint64_t count;      /* of samples */
};

/*
 * The process has used `used_ns` so far, and its samples weigh `given_ns`.
 *
 *   unread_ns  of CPU time, at most, those that are still to be read are for
 */
void prof_tap_steer_look(
    struct prof_tap_steer *steer, uint64_t period_ns, uint64_t used_ns,
    uint64_t given_ns, uint64_t unread_ns);

/* What the next sample weighs. */
uint64_t prof_tap_steer_weigh(struct prof_tap_steer *steer, uint64_t period_ns);

#endif
