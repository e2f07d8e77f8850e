/*
 * What a handler of the program's has interrupted may go on elsewhere: in a
 * call that the handler has made up, as Go's does by SIGURG to have a goroutine
 * give way. A tick that came meanwhile waits, and is taken right behind it,
 * before anything of that call was run. The time was the interrupted code's.
 */
#ifndef PROFILER_AGENT_SIG_REDIRECT_H
#define PROFILER_AGENT_SIG_REDIRECT_H

#include <stdint.h>
#include <ucontext.h>

#include "profiler/base/status.h"

/* Where a context says that it was interrupted. */
struct prof_redirect_place {
    int64_t pc, sp;
};

/* A handler of the program's is about to be started in thread `tid`. */
SIGNAL_SAFE void prof_redirect_note(uint32_t tid, const ucontext_t *context);

/*
 * For a sample: have the context say what was interrupted before, if the last
 * such handler of the thread has made up a call. Returns what it said.
 */
SIGNAL_SAFE struct prof_redirect_place prof_redirect_undo(
    uint32_t tid, ucontext_t *context);

/* After the sample: what is to go on. */
SIGNAL_SAFE void prof_redirect_redo(
    ucontext_t *context, struct prof_redirect_place place);

#endif
