/*
 * A row in 27 bits: what 99.99 % of the rows in real programs need.
 *
 *     bits 31..16  CFA offset in words
 *     bits 15..8   the caller's frame pointer is at CFA - 8 * slot; 0: it is
 *                  what it was
 *     bits 7..5    enum prof_row_kind
 *     bits 4..0    not the row's: 0, or whatever sig_row_cache.h has there
 *
 * The return address is at CFA - 8. Callee-saved registers other than the
 * frame pointer are left out: a frame whose CFA depends on one is
 * PROF_ROW_FULL, and the walker then goes over the stack again with all
 * registers. That costs the common stack nothing.
 */
#ifndef PROFILER_UNWIND_SIG_ROW_H
#define PROFILER_UNWIND_SIG_ROW_H

#include <stdint.h>

#include "profiler/base/status.h"
#include "profiler/unwind/sig_cfi.h"

enum prof_row_kind {
    PROF_ROW_NONE,      /* no CFI covers this pc */
    PROF_ROW_SP,        /* CFA = stack pointer + offset */
    PROF_ROW_FP,        /* CFA = frame pointer + offset */
    PROF_ROW_REALIGNED, /* CFA = *(fp - offset); the caller's fp = *fp */
    PROF_ROW_END,       /* the return address is undefined: outermost */
    PROF_ROW_PLT,  /* as SP, one word more from byte `slot` of a 16-byte stub */
    PROF_ROW_FULL, /* anything else: interpret the CFI */
};

#define PROF_ROW_WORDS_MAX UINT16_MAX
#define PROF_ROW_SLOT_MAX  UINT8_MAX
#define PROF_ROW_KIND_BIT  5

SIGNAL_SAFE static inline uint32_t prof_row_make(
    enum prof_row_kind kind, uint32_t words, uint32_t slot)
{
    return words << 16 | slot << 8 | (uint32_t)kind << PROF_ROW_KIND_BIT;
}

SIGNAL_SAFE static inline enum prof_row_kind prof_row_kind(uint32_t row)
{
    return (enum prof_row_kind)(row >> PROF_ROW_KIND_BIT & 7);
}

SIGNAL_SAFE static inline uint32_t prof_row_slot(uint32_t row)
{
    return row >> 8 & 0xff;
}

SIGNAL_SAFE static inline uint64_t prof_row_cfa_bytes(uint32_t row)
{
    return (uint64_t)(row >> 16) * 8;
}

/* The addresses that a row holds for, half open. */
struct prof_stretch {
    uint64_t start, end;
};

/* The row that stands for these rules: PROF_ROW_FULL where none does. */
SIGNAL_SAFE uint32_t prof_row_encode(
    const struct prof_rules *rules, const struct prof_cfi_source *source);

/* A PROF_ROW_PLT row at one pc; any other row as it is. */
SIGNAL_SAFE static inline uint32_t prof_row_at(uint32_t row, uint64_t pc)
{
    if (prof_row_kind(row) != PROF_ROW_PLT)
        return row;
    uint32_t words = (row >> 16) + ((pc & 15) >= prof_row_slot(row));
    return prof_row_make(PROF_ROW_SP, words, 0);
}

#endif
