/*
 * The executable ranges of a process and where their CFI is.
 *
 * Published outside the handler (modules.h), read in it without locks:
 *
 *   version   counts publications; its low bit selects the list in force
 *   readers   how many are inside each list
 *
 * A reader registers with the list it read the version for and then looks at
 * the version again: unchanged, the list stays whole until it leaves. The
 * writer fills the other list only when nobody is inside, moves the version
 * and lets the readers of the old one run out. A reader that was interrupted
 * for good (its thread was killed) keeps the old list occupied: publishing is
 * then refused, and what was published stays in force.
 *
 * All of it is one flat structure without pointers into itself, so that the
 * collector can publish into a process that it shares this memory with.
 */
#ifndef PROFILER_UNWIND_SIG_MODULES_H
#define PROFILER_UNWIND_SIG_MODULES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "profiler/unwind/sig_eh_frame.h"

#define PROF_TEXTS_MAX 2048

struct prof_row_store;
struct prof_row_table;

/*
 * One executable range. Pointers are valid where the walker runs.
 *
 * The bytes they lead to must stay readable until prof_modules_settle() is
 * true after a publication without them. An image that dlclose() can unmap is
 * therefore never referred to itself, but through a mapping of our own.
 */
struct prof_text {
    uint64_t start, end; /* pcs, half open */
    uint64_t bias;       /* pc - ELF address; what tables count from */
    const struct prof_row_table *rows; /* may be NULL; see sig_row_table.h */
    uint32_t slot; /* where one may appear (sig_row_store.h); 0: nowhere */
    /* The instruction at `start`, to recognise a signal restorer without CFI;
     * NULL where the text may vanish. */
    const uint8_t *code;
    struct prof_cfi_source eh_frame, debug_frame;
};

struct prof_text_list {
    uint32_t count;
    uint64_t starts[PROF_TEXTS_MAX]; /* sorted; apart, so that a search
                                        touches few cache lines */
    struct prof_text texts[PROF_TEXTS_MAX];
};

struct prof_modules {
    _Atomic uint32_t version;
    _Atomic uint32_t readers[2];
    /* The writer's own: pcs that stopped being what they were. */
    uint64_t changed_low, changed_high;
    bool is_settled;
    const struct prof_row_store *store; /* of the texts' slots, or NULL */
    struct prof_text_list lists[2];
};

/*
 * Register as a reader.
 *
 *   returns  the list in force, or NULL when publications outran a bounded
 *            number of attempts
 *   context  SIGNAL_SAFE, many readers, lock-free; not across a longjmp
 */
SIGNAL_SAFE const struct prof_text_list *prof_modules_enter(
    struct prof_modules *modules);

SIGNAL_SAFE void prof_modules_leave(
    struct prof_modules *modules, const struct prof_text_list *list);

/* The range that holds `pc`, or NULL. */
SIGNAL_SAFE const struct prof_text *prof_text_find(
    const struct prof_text_list *list, uint64_t pc);

#endif
