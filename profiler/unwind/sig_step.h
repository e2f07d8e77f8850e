/*
 * One frame up, in full generality: rules applied to registers and memory.
 */
#ifndef PROFILER_UNWIND_SIG_STEP_H
#define PROFILER_UNWIND_SIG_STEP_H

#include "profiler/base/status.h"
#include "profiler/unwind/sig_cfi.h"
#include "profiler/unwind/sig_reader.h"
#include "profiler/unwind/sig_regs.h"

enum prof_step {
    PROF_STEP_DONE,
    PROF_STEP_END,              /* the return address is undefined: outermost */
    PROF_STEP_UNKNOWN_REGISTER, /* walk again with all registers */
    PROF_STEP_FAILED,           /* memory out of bounds, or no usable rule */
};

/*
 * The registers of the caller.
 *
 *   source  of the row, for its expressions
 *   regs    the frame's own; replaced for PROF_STEP_DONE, else untouched. A
 *           register that cannot be recovered becomes unknown; stack pointer
 *           and pc are always known
 *
 * Memory below the stack pointer that the reader refuses holds what was
 * popped already: there a register keeps its value.
 */
SIGNAL_SAFE enum prof_step prof_step_apply(
    const struct prof_rules *rules, const struct prof_cfi_source *source,
    struct prof_regs *regs, struct prof_reader *reader);

/*
 * What a signal interrupted, where the restorer has no CFI: `regs->value` of
 * the stack pointer is at the ucontext.
 */
SIGNAL_SAFE enum prof_step prof_step_sigreturn(
    struct prof_regs *regs, struct prof_reader *reader);

#endif
