/*
 * Threads of a process sampled from outside, while they sleep: event `wall`.
 * They are looked at as those of an agent's process are, neither woken nor
 * stopped (profiler/collector/thread_looks.h).
 */
#ifndef PROFILER_TAP_SLEEPERS_H
#define PROFILER_TAP_SLEEPERS_H

#include <stdint.h>

#include "profiler/tap/process.h"

/*
 * Begin with the processes of this list that have not been begun with.
 *
 *   is_new_too  those as well that began since we watch: seldom, for many are
 *               brief
 */
void prof_sleepers_begin(struct prof_tap_process *first, bool is_new_too);

/* Look at who is due, of the processes of this list. */
void prof_sleepers_look(
    struct prof_tap_common *common, struct prof_tap_process *first);

/* In how long that has something to do, if that is before `wait_ms`. */
int prof_sleepers_wait_ms(const struct prof_tap_process *first, int wait_ms);

#endif
