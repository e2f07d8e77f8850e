/* Whether code of ours may come into a process, before anything is touched. */
#ifndef PROFILER_ATTACH_INJECT_CHECK_H
#define PROFILER_ATTACH_INJECT_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/status.h"

/* Where the process has its vDSO: from vdso[0] to vdso[1]. */
MUST_CHECK enum status prof_inject_vdso(
    uint32_t pid, uint64_t vdso[2], struct diag *diag);

/*
 * Where its first stack began, which differs from one program to the next that
 * it becomes by exec; 0: it has ended. Takes no lock of its memory.
 */
uint64_t prof_inject_stack(uint32_t pid);

/* What is to be known of it. */
struct prof_inject_place {
    uint64_t vdso[2]; /* where it has its vDSO */
    uint64_t stack;   /* prof_inject_stack() */
    bool is_filtered; /* by seccomp: the filters are still to be judged */
};

/*
 * Whether it may be done to it. The filters of one that has some can only be
 * read while a thread is held: prof_guest_calls_judge().
 *
 *   errors   as prof_inject()
 */
MUST_CHECK enum status prof_inject_check(
    uint32_t pid, struct prof_inject_place *place, struct diag *diag);

#endif
