/*
 * The engine "cfi" of the target process: everything the live walk needs, in
 * one block of memory.
 *
 * Setting up, in normal context:
 *
 *   1. mmap PROF_CFI_ENGINE_BYTES, zeroed, shared with the collector or
 *      private. In ordinary pages it costs what is touched: 0.5 MiB for a full
 *      row cache, 6 KiB for each of the first 64 threads, 20 KiB for a hundred
 *      modules. Aligned to its size and with MADV_HUGEPAGE it is one page:
 *      that makes a walk in cc1plus 6.0 us instead of 7.0, but costs every
 *      process 2 MiB, and their zeroing; the preload shell goes without.
 *   2. prof_cfi_engine_init().
 *   3. Publish the executable ranges (modules.h) and the stack of every
 *      thread that will be sampled (stacks.h).
 *   4. Sample: engine.walk() in the handler, on any thread.
 *
 * Afterwards, still in normal context and one caller at a time:
 *
 *   dlopen, dlclose   once it has returned: publish all ranges again. Memory
 *                     that a vanished range referred to is released when
 *                     prof_modules_settle() says so
 *   thread start      prof_stacks_add() before the thread's timer is armed
 *   thread exit       prof_stacks_remove() after its timer is disarmed
 *   sigaltstack,      add when a stack comes into use, remove before it is
 *   fibers            freed; without it such a sample ends early
 *   fork              in the child: prof_cfi_engine_after_fork(). A private
 *                     block is a copy and stays valid; a shared one must be
 *                     replaced by the child's own first
 *   exec              nothing: the block is gone with the image
 *
 * A lock that serialises these must not be taken in a handler, and must be
 * reset in a forked child.
 */
#ifndef PROFILER_UNWIND_SIG_ENGINE_H
#define PROFILER_UNWIND_SIG_ENGINE_H

#include "profiler/base/status.h"
#include "profiler/unwind/sig_modules.h"
#include "profiler/unwind/sig_row_cache.h"
#include "profiler/unwind/sig_stacks.h"
#include "profiler/unwind/sig_trail.h"
#include "profiler/unwind/sig_walk.h"

/* A deeper stack is PROF_WALK_CUT: a handler that takes longer than its timer's
 * period would leave the thread no time of its own. */
#define PROF_CFI_FRAMES_DEFAULT 1024

/* Threads that share a trail forget each other's steps. */
#define PROF_CFI_TRAILS         64

struct prof_cfi_engine {
    struct prof_engine engine;
    uint32_t frames_max; /* at most this many, whatever the walk's capacity */
    /* The published stacks may reach beyond the thread's own: stop at its
     * thread pointer. Only where prof_thread_pointer() is there. */
    bool clips_stacks;
    struct prof_modules modules;
    struct prof_stacks stacks;
    struct prof_row_cache cache;
    struct prof_trail trails[PROF_CFI_TRAILS];
};

#define PROF_CFI_ENGINE_BYTES (UINT64_C(2) << 20)

_Static_assert(
    sizeof(struct prof_cfi_engine) <= PROF_CFI_ENGINE_BYTES,
    "one huge page holds all that a walk touches");

/* `cfi` must be zeroed; it holds no pointer into itself. */
void prof_cfi_engine_init(struct prof_cfi_engine *cfi);

void prof_cfi_engine_after_fork(struct prof_cfi_engine *cfi);

/*
 * engine.walk: see sig_walk.h. Reads the published stacks and modules alone;
 * `engine` is the first member of a struct prof_cfi_engine.
 *
 *   context  SIGNAL_SAFE, re-entrant; 3.3 KiB of stack
 */
SIGNAL_SAFE void prof_cfi_walk(
    const struct prof_engine *engine, const void *ucontext,
    struct prof_walk *walk);

#endif
