/*
 * The walk: registers, a reader and modules in, return addresses out.
 *
 * The common frame is a cache hit: a compact row, two loads. A miss asks the
 * module's row table, then its CFI. A frame that needs more than a compact
 * row holds is stepped with all registers; where one of them was lost on the
 * way, the frames since the last point at which all were known are walked
 * again from CFI, so that no frame is looked at more than twice.
 *
 * Where no CFI covers a pc, frame pointers are the last resort: the chain must
 * be aligned, in bounds and growing, and lead to a published executable range.
 * A frame found so carries PROF_FRAME_GUESSED.
 *
 * Every walk ends: a frame must lie above the one before. The stack pointer
 * may go down only by a full step (a signal handler on an alternate stack, a
 * switch of stacks described by CFI), and PROF_WALK_SWITCHES times.
 */
#ifndef PROFILER_UNWIND_SIG_WALKER_H
#define PROFILER_UNWIND_SIG_WALKER_H

#include "profiler/base/status.h"
#include "profiler/unwind/sig_modules.h"
#include "profiler/unwind/sig_reader.h"
#include "profiler/unwind/sig_regs.h"
#include "profiler/unwind/sig_row_cache.h"
#include "profiler/unwind/sig_trail.h"
#include "profiler/unwind/sig_walk.h"

#define PROF_WALK_SWITCHES 16

/*
 * Unwind from `regs`: stack pointer and pc must be known, and what else is
 * known makes the walk more complete.
 *
 *   ucontext  where the rest of the registers is, of which few walks need any;
 *            NULL: `regs` has all
 *   reader   the thread's memory; its window may move
 *   cache    shared by all walks of this process, or NULL
 *   trail    taken for this walk by prof_trail_begin(), given back by it; or
 *            NULL
 *   walk     in: frames and capacity, at least 1; out: count and end
 *   context  SIGNAL_SAFE when reader->refill is; 3 KiB of stack
 */
SIGNAL_SAFE void prof_walk_stack(
    const struct prof_regs *regs, const void *ucontext,
    struct prof_reader *reader, struct prof_modules *modules,
    struct prof_row_cache *cache, struct prof_trail *trail,
    struct prof_walk *walk);

#endif
