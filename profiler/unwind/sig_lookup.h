/*
 * From a frame's key to what unwinds it: a compact row, or the rules.
 */
#ifndef PROFILER_UNWIND_SIG_LOOKUP_H
#define PROFILER_UNWIND_SIG_LOOKUP_H

#include <stdint.h>

#include "profiler/base/status.h"
#include "profiler/unwind/sig_cfi.h"
#include "profiler/unwind/sig_modules.h"
#include "profiler/unwind/sig_row_cache.h"

/* The pc a key (sig_row_cache.h) stands for: within the call, not behind. */
SIGNAL_SAFE static inline uint64_t prof_pc_of_key(uint64_t key)
{
    return key - 1;
}

SIGNAL_SAFE static inline uint64_t prof_key_of_pc(uint64_t pc)
{
    return pc + 1;
}

enum prof_found {
    PROF_FOUND_NOTHING,
    PROF_FOUND_RULES,
    PROF_FOUND_SIGRETURN, /* a signal restorer without CFI, by its code */
    PROF_FOUND_FIRST,     /* a function that nobody called: no caller */
};

/* Scratch, which the caller places: 1.3 KiB. */
struct prof_lookup {
    const struct prof_cfi_source *source; /* of the rules */
    struct prof_fde fde;
    struct prof_rows rows; /* rows.rules, for PROF_FOUND_RULES */
};

/*
 * The rules of a frame in `text`, from .eh_frame, else from .debug_frame.
 * Between prof_modules_enter() and leave.
 */
SIGNAL_SAFE enum prof_found prof_lookup_rules(
    const struct prof_text *text, uint64_t key, struct prof_lookup *lookup);

/*
 * The compact row of a frame that the first of its two places in the cache
 * does not hold: from the second, the module's table, or its CFI. Stored in
 * `cache` unless that is NULL.
 */
SIGNAL_SAFE uint32_t prof_lookup_row(
    struct prof_modules *modules, struct prof_row_cache *cache, uint64_t key);

#endif
