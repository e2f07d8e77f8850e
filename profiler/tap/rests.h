/*
 * Closing the accounts of all that was watched.
 *
 * A process has used what its CPU clock says, and its samples weigh a period
 * each; what is left is [unsampled], of its first thread. But the kernel hands
 * an event on, with what has run of its period, when it switches between a
 * thread and one it made, be that in a process of its own: then one has a
 * sample too many and the other one too few. So it is the sums that are
 * trusted: what all have left is at most what all have used and no sample
 * weighs, and each gets its share of that.
 */
#ifndef PROFILER_TAP_RESTS_H
#define PROFILER_TAP_RESTS_H

#include <stdint.h>

struct prof_tap_common;

/*
 * Add [unsampled] to the profile, and the kernel's figures.
 *
 *   kernel_ns  of all together; 0: the sum of what is known
 *   count_ns   the events' own count, for processes of which nothing else is
 */
void prof_tap_rests_close(
    struct prof_tap_common *common, uint64_t kernel_ns, uint64_t count_ns);

#endif
