/*
 * Callers of frames in code that has no rules: musl's, which is built without,
 * or what was stripped of them.
 *
 * Where a walk ends for want of a rule, the frame is told from the code
 * (frame_scan.h), and the caller is believed where a call stands before the
 * return address. Where a function begins is told by symbols, or by the call
 * itself: of the words above the frame, the first behind a direct call to a
 * function whose frame, at our pc, has its return address right there. A frame
 * found so is marked as guessed; the walk goes on from it by rules. The
 * function that a thread runs, called through a pointer, may have neither: then
 * the call after which the thread ends has to be near.
 *
 * And a walk may have ended where the thread begins, though no rule says so:
 * in the program's first code, behind a call after which comes exit(2), or, in
 * Go's code, under a frame that has saved a frame pointer of zero: Go's mark
 * for the end of a stack, which is on another stack than the goroutine's at
 * times. (x86-64 psABI, 3.4.1: the deepest frame has it) Or in a function of
 * Go's that has left its caller's stack for good, as mcall() does: its rules
 * speak of the one it has left, and what they lead to is none of its callers.
 */
#ifndef PROFILER_COLLECTOR_BARE_CODE_H
#define PROFILER_COLLECTOR_BARE_CODE_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/collector/code.h"
#include "profiler/unwind/sig_reader.h"
#include "profiler/unwind/sig_walk.h"

/* One stack, and the process's code; apart, so that the windows stay where
 * they are. */
struct prof_bare_code {
    struct prof_code *code;
    struct prof_reader *stack, *bytes;
};

/* Whether the last frame of a walk is one that nobody called: see above. */
bool prof_bare_code_begins(
    const struct prof_bare_code *bare, const struct prof_walk *walk);

/*
 * Go on with a walk that ended for want of a rule. Where it ends now, walk->end
 * says.
 */
void prof_bare_code_walk(
    const struct prof_bare_code *bare, struct prof_walk *walk);

#endif
