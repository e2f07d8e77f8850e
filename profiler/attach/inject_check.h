/* Whether code of ours may come into a process, before anything is touched. */
#ifndef PROFILER_ATTACH_INJECT_CHECK_H
#define PROFILER_ATTACH_INJECT_CHECK_H

#include <stdint.h>

#include "profiler/base/status.h"

/* Where the process has its vDSO: from vdso[0] to vdso[1]. */
MUST_CHECK enum status prof_inject_vdso(
    uint32_t pid, uint64_t vdso[2], struct diag *diag);

/*
 * Whether it may be done to it.
 *
 *   vdso     out: where the process has its vDSO
 *   errors   as prof_inject()
 */
MUST_CHECK enum status prof_inject_check(
    uint32_t pid, uint64_t vdso[2], struct diag *diag);

#endif
