/*
 * DWARF expressions as call frame information uses them (DWARF 5 2.5, 6.4.2):
 * addresses and values computed from registers and memory.
 *
 * Bounded: a stack of PROF_EXPR_STACK words, at most PROF_EXPR_STEPS
 * operations (they can loop), memory through the reader alone. Operations
 * that need what CFI does not have (a frame base, thread-local storage,
 * location pieces, calls) make the expression unusable.
 */
#ifndef PROFILER_UNWIND_SIG_DWARF_EXPR_H
#define PROFILER_UNWIND_SIG_DWARF_EXPR_H

#include "profiler/base/status.h"
#include "profiler/unwind/sig_bytes.h"
#include "profiler/unwind/sig_reader.h"
#include "profiler/unwind/sig_regs.h"

#define PROF_EXPR_STACK 64   /* as libgcc's; the deepest in use is 4 */
#define PROF_EXPR_STEPS 1000 /* the longest in use is 12 */

enum prof_expr_end {
    PROF_EXPR_DONE,
    PROF_EXPR_UNKNOWN_REGISTER, /* one that regs->known does not have */
    PROF_EXPR_UNREADABLE,       /* memory outside the reader */
    PROF_EXPR_INVALID,
};

struct prof_expr {
    struct prof_bytes block;
    const struct prof_regs *regs; /* the column of the pc gives the frame's */
    struct prof_reader *reader;
    uint64_t bias; /* added to DW_OP_addr */
};

/*
 * Evaluate, with `first` on the stack unless it is NULL (the CFA, for the
 * rules of registers).
 *
 *   result   the top of the stack; written for PROF_EXPR_DONE only
 */
SIGNAL_SAFE enum prof_expr_end prof_expr_evaluate(
    const struct prof_expr *expr, const uint64_t *first, uint64_t *result);

#endif
