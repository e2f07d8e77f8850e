/* Whether code of ours may come into a process, before anything is touched. */
#ifndef PROFILER_ATTACH_INJECT_CHECK_H
#define PROFILER_ATTACH_INJECT_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/attach/identity.h"
#include "profiler/base/status.h"

/* Where the process has its vDSO: from vdso[0] to vdso[1]. */
MUST_CHECK enum status prof_inject_vdso(
    uint32_t pid, uint64_t vdso[2], struct diag *diag);

/* What is to be known of it. */
struct prof_inject_place {
    uint64_t vdso[2]; /* where it has its vDSO */
    struct prof_identity identity;
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
