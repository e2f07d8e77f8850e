/*
 * Memory of the thread being unwound.
 *
 * A reader is a window of addresses that may be read directly, and a function
 * that moves the window. The live stack, a copied stack and another process
 * differ in the window alone, so a load costs the same compare everywhere and
 * no call while it stays inside.
 *
 *   live stack       [sp - red zone, top of the stack), delta 0; refill
 *                    switches to another published stack (sig_stacks.h)
 *   copied stack     the bytes that were copied; no refill
 *   another process  a page fetched by refill (process_reader.h)
 */
#ifndef PROFILER_UNWIND_SIG_READER_H
#define PROFILER_UNWIND_SIG_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/status.h"

struct prof_reader {
    uint64_t low;   /* first address of the window */
    uint64_t span;  /* how many addresses a word may start at; 0 empty */
    uint64_t delta; /* where we read it: address + delta, modulo 2^64 */

    /*
     * Move the window so that the word at `address` can be read; NULL when
     * there is only one window.
     *
     *   returns  false when that memory must not or cannot be read; the old
     *            window may be gone by then
     */
    bool (*refill)(struct prof_reader *reader, uint64_t address);
    void *owner; /* for refill */
};

/* Let [low, high), which stands at `local`, be the window. */
SIGNAL_SAFE static inline void prof_reader_set_window(
    struct prof_reader *reader, uint64_t low, uint64_t high, uint64_t local)
{
    reader->low = low;
    reader->span = high > low && high - low >= 8 ? high - low - 7 : 0;
    reader->delta = local - low;
}

SIGNAL_SAFE static inline bool prof_reader_holds(
    const struct prof_reader *reader, uint64_t address)
{
    return address - reader->low < reader->span;
}

/* A stack slot: of any type, and hostile CFI may point anywhere in it. */
typedef uint64_t __attribute__((may_alias, aligned(1))) prof_slot;

/*
 * Sanitizers watch variables, and a live stack is read across all of them:
 * red zones, padding, other functions' locals.
 */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) ||           \
    defined(__clang__)
#define PROF_UNWATCHED                                                         \
    __attribute__((noinline, unused, no_sanitize("address", "thread")))
#else
#define PROF_UNWATCHED inline
#endif

SIGNAL_SAFE PROF_UNWATCHED static uint64_t prof_slot_at(uint64_t local)
{
    return *(const volatile prof_slot *)(uintptr_t)local;
}

/* For a look that nothing hangs on but its outcome: one instruction. */
SIGNAL_SAFE PROF_UNWATCHED static bool prof_slot_is(
    uint64_t local, uint64_t word)
{
    return *(const prof_slot *)(uintptr_t)local == word;
}

SIGNAL_SAFE static inline bool prof_reader_load(
    struct prof_reader *reader, uint64_t address, uint64_t *word)
{
    if (__builtin_expect(!prof_reader_holds(reader, address), 0)) {
        if (reader->refill == NULL || !reader->refill(reader, address) ||
            !prof_reader_holds(reader, address))
            return false;
    }
    *word = prof_slot_at(address + reader->delta);
    return true;
}

#endif
