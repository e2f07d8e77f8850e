/*
 * The system calls that bringing a guest into a process makes there, in the
 * name of its threads and by the guest's own, and whether a seccomp filter of
 * the process lets them pass. All must: a filter may punish with death.
 */
#ifndef PROFILER_ATTACH_GUEST_CALLS_H
#define PROFILER_ATTACH_GUEST_CALLS_H

#include <sched.h>
#include <stdint.h>

#include "profiler/base/status.h"

/* For clone(2): what makes the guest a thread of the process. */
#define PROF_GUEST_THREAD                                                      \
    (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |        \
     CLONE_SYSVSEM)

/*
 * Judge the filters of the thread `tid`, which is held.
 *
 *   errors  NOT_PERMITTED: a call is refused, which the sentence names, or the
 *           filters may not be read
 */
MUST_CHECK enum status prof_guest_calls_judge(
    uint32_t pid, uint32_t tid, struct diag *diag);

/* NOT_PERMITTED: it has filters, and they may not be read. */
enum status prof_guest_calls_unread(uint32_t pid, struct diag *diag);

#endif
