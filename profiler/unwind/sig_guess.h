/*
 * One frame up where no CFI is: the last resort.
 *
 * A frame pointer is believed when it is aligned, in bounds, near and below
 * the next one, and the return address beside it is in a published executable
 * range. That of a function that has no frame of its own, as many of Go's that
 * call nothing, is its caller's: then the return address on top of the stack
 * comes first, if it stands behind a direct call of that function. Code bytes
 * are looked at where they will not be gone.
 */
#ifndef PROFILER_UNWIND_SIG_GUESS_H
#define PROFILER_UNWIND_SIG_GUESS_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "profiler/unwind/sig_modules.h"
#include "profiler/unwind/sig_reader.h"
#include "profiler/unwind/sig_regs.h"

/* A frame pointer that is further up is of another stack, or none. */
#define PROF_GUESS_BYTES_MAX (UINT64_C(1) << 20)

/*
 * The caller of the frame with `key`.
 *
 *   regs     replaced when true: stack pointer, frame pointer and pc are known
 *   is_leaf  the pc may be where a wild pointer led: then the call has pushed
 *            its return address, and no more
 */
SIGNAL_SAFE bool prof_guess(
    struct prof_regs *regs, uint64_t key, bool is_leaf,
    struct prof_modules *modules, struct prof_reader *reader);

#endif
