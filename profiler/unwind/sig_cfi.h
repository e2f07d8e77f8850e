/*
 * Call frame instructions: from an FDE to the rules of one row.
 *
 * A row says, for a range of pcs, how to find the canonical frame address
 * (CFA: the stack pointer before the call) and where the caller's registers
 * are (DWARF 5 6.4.1). Rows come in ascending order, each made from the one
 * before:
 *
 *     struct prof_rows rows;
 *     prof_rows_begin(&rows, &fde);
 *     while (prof_rows_next(&rows))
 *         ... rows.start, rows.end, rows.rules ...
 */
#ifndef PROFILER_UNWIND_SIG_CFI_H
#define PROFILER_UNWIND_SIG_CFI_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "profiler/unwind/sig_eh_frame.h"
#include "profiler/unwind/sig_regs.h"

/*
 * Nesting of DW_CFA_remember_state. Compilers use 1; the deepest seen in a
 * thousand system files is 2. Each level costs 112 bytes of handler stack.
 */
#define PROF_CFI_STATES 8

enum prof_rule {
    PROF_RULE_SAME, /* no rule: as it is, which is what compilers assume */
    PROF_RULE_UNDEFINED,
    PROF_RULE_OFFSET,     /* saved at CFA + value */
    PROF_RULE_VAL_OFFSET, /* is CFA + value */
    PROF_RULE_REGISTER,   /* in column `value` */
    PROF_RULE_EXPRESSION, /* saved at the address the expression gives */
    PROF_RULE_VAL_EXPRESSION,
};

enum prof_cfa_rule {
    PROF_CFA_NONE,
    PROF_CFA_REGISTER, /* register + value */
    PROF_CFA_EXPRESSION,
};

/*
 * An expression's value is the offset in its section of the block: a ULEB128
 * length, then the operations.
 */
struct prof_rules {
    int32_t value[PROF_REG_COUNT];
    uint8_t rule[PROF_REG_COUNT]; /* enum prof_rule */
    uint8_t cfa_rule;             /* enum prof_cfa_rule */
    uint8_t cfa_register;
    uint8_t ra_column; /* the column that holds the caller's pc */
    bool is_signal_frame;
    int32_t cfa_value;
};

struct prof_rows {
    uint64_t start, end; /* the row's pcs, half open */
    struct prof_rules rules;

    /* The interpreter's own. */
    const struct prof_fde *fde;
    struct prof_bytes program;
    uint64_t next_start;
    uint32_t depth;
    bool is_done, is_bad;
    struct prof_rules initial;
    struct prof_rules states[PROF_CFI_STATES];
};

/* Start before the first row. `fde` must outlive `rows`. */
SIGNAL_SAFE void prof_rows_begin(
    struct prof_rows *rows, const struct prof_fde *fde);

/*
 * Move to the next row that is not empty.
 *
 *   returns  false after the last one, or with is_bad set where the program
 *            is malformed or beyond the limits above
 */
SIGNAL_SAFE bool prof_rows_next(struct prof_rows *rows);

/*
 * The rules in force at `pc`; false when the program has none.
 *
 *   rows  scratch: 1.2 KiB, which the caller places
 */
SIGNAL_SAFE bool prof_rows_find(
    struct prof_rows *rows, const struct prof_fde *fde, uint64_t pc);

/* An expression block of `source`; is_bad when it is not inside. */
SIGNAL_SAFE struct prof_bytes prof_cfi_expression(
    const struct prof_cfi_source *source, int32_t offset);

#endif
