/*
 * Whether a function is in its first frame's place still: it has been called,
 * and has no frame of its own, for it needs none. Told from code.
 */
#ifndef PROFILER_UNWIND_SIG_DIRECT_CALL_H
#define PROFILER_UNWIND_SIG_DIRECT_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "profiler/unwind/sig_modules.h"

/*
 * Whether what stands before `ret_pc` is a call of a function that `pc` is in,
 * and from its first instruction on to there nothing makes room on the stack.
 *
 *   caller, callee  what holds the two; their code may be looked at
 */
SIGNAL_SAFE bool prof_direct_call_is_frameless(
    const struct prof_text *caller, uint64_t ret_pc,
    const struct prof_text *callee, uint64_t pc);

#endif
