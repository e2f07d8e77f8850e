/*
 * Whether a running process can be reached, and if not, why: one sentence for
 * a person, from what the kernel itself says.
 */
#ifndef PROFILER_ATTACH_REACH_H
#define PROFILER_ATTACH_REACH_H

#include <stdint.h>

#include "profiler/base/status.h"

/*
 *   errors   GONE: there is no such process, or it has ended. USAGE: it is a
 *            thread, or ourselves. UNSUPPORTED: a kernel thread, or a program
 *            for another processor. NOT_PERMITTED: its memory is not ours to
 *            read, with the setting that refuses it and what would permit it
 */
MUST_CHECK enum status prof_reach_check(uint32_t pid, struct diag *diag);

/* kernel.yama.ptrace_scope; 0 where there is no Yama. */
int prof_reach_yama_scope(void);

#endif
