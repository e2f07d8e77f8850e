/*
 * The call frame instruction interpreter; see the header.
 *
 * Instructions come in two forms: the upper two bits name one of three and
 * the lower six are its operand, or they are zero and the whole byte names
 * the instruction.
 */
#include "profiler/unwind/sig_cfi.h"

enum {
    CFA_ADVANCE_LOC = 0x40,
    CFA_OFFSET = 0x80,
    CFA_RESTORE = 0xc0,
    CFA_OPERAND = 0x3f,

    CFA_NOP = 0x00,
    CFA_SET_LOC = 0x01,
    CFA_ADVANCE_LOC1 = 0x02,
    CFA_ADVANCE_LOC2 = 0x03,
    CFA_ADVANCE_LOC4 = 0x04,
    CFA_OFFSET_EXTENDED = 0x05,
    CFA_RESTORE_EXTENDED = 0x06,
    CFA_UNDEFINED = 0x07,
    CFA_SAME_VALUE = 0x08,
    CFA_REGISTER = 0x09,
    CFA_REMEMBER_STATE = 0x0a,
    CFA_RESTORE_STATE = 0x0b,
    CFA_DEF_CFA = 0x0c,
    CFA_DEF_CFA_REGISTER = 0x0d,
    CFA_DEF_CFA_OFFSET = 0x0e,
    CFA_DEF_CFA_EXPRESSION = 0x0f,
    CFA_EXPRESSION = 0x10,
    CFA_OFFSET_EXTENDED_SF = 0x11,
    CFA_DEF_CFA_SF = 0x12,
    CFA_DEF_CFA_OFFSET_SF = 0x13,
    CFA_VAL_OFFSET = 0x14,
    CFA_VAL_OFFSET_SF = 0x15,
    CFA_VAL_EXPRESSION = 0x16,
    CFA_MIPS_ADVANCE_LOC8 = 0x1d,
    CFA_GNU_WINDOW_SAVE = 0x2d,
    CFA_GNU_ARGS_SIZE = 0x2e,
    CFA_GNU_NEGATIVE_OFFSET_EXTENDED = 0x2f,
};

/* A value the compact rules cannot hold makes the program unusable. */
static int32_t narrow(struct prof_rows *rows, int64_t value)
{
    if (value != (int32_t)value)
        rows->is_bad = true;
    return (int32_t)value;
}

static int32_t factored(struct prof_rows *rows, int64_t value)
{
    int64_t product;
    if (__builtin_mul_overflow(value, rows->fde->data_align, &product))
        rows->is_bad = true;
    return narrow(rows, product);
}

/* An operand no real program has must not turn into a small one. */
static int32_t factored_uleb(struct prof_rows *rows)
{
    uint64_t value = prof_bytes_uleb(&rows->program);
    if (value > INT32_MAX)
        rows->is_bad = true;
    return factored(rows, (int32_t)value);
}

static int32_t factored_sleb(struct prof_rows *rows)
{
    return factored(rows, prof_bytes_sleb(&rows->program));
}

/* Vector and segment registers have columns too; nothing here needs them. */
static void set_rule(
    struct prof_rows *rows, uint64_t column, uint8_t rule, int32_t value)
{
    if (column >= PROF_REG_COUNT)
        return;
    rows->rules.rule[column] = rule;
    rows->rules.value[column] = value;
}

static void restore_initial(struct prof_rows *rows, uint64_t column)
{
    if (column < PROF_REG_COUNT)
        set_rule(
            rows, column, rows->initial.rule[column],
            rows->initial.value[column]);
}

static void set_cfa(struct prof_rows *rows, uint64_t column, int64_t offset)
{
    if (column >= PROF_REG_COUNT)
        rows->is_bad = true;
    rows->rules.cfa_rule = PROF_CFA_REGISTER;
    rows->rules.cfa_register = (uint8_t)column;
    rows->rules.cfa_value = narrow(rows, offset);
}

/* Note where the block stands and step over it. */
static int32_t skip_block(struct prof_rows *rows)
{
    int64_t offset = rows->program.at - rows->fde->source->bytes;
    prof_bytes_skip(&rows->program, prof_bytes_uleb(&rows->program));
    return narrow(rows, offset);
}

static void remember(struct prof_rows *rows)
{
    if (rows->depth == PROF_CFI_STATES) {
        rows->is_bad = true;
        return;
    }
    rows->states[rows->depth++] = rows->rules;
}

static void restore(struct prof_rows *rows)
{
    if (rows->depth == 0) {
        rows->is_bad = true;
        return;
    }
    rows->rules = rows->states[--rows->depth];
}

static void advance(struct prof_rows *rows, uint64_t count)
{
    uint64_t size;
    if (__builtin_mul_overflow(count, rows->fde->code_align, &size) ||
        __builtin_add_overflow(rows->next_start, size, &rows->next_start))
        rows->is_bad = true;
}

static void set_location(struct prof_rows *rows)
{
    const struct prof_fde *fde = rows->fde;
    uint64_t pc = prof_encoded_pointer(
        &rows->program, fde->source, fde->pointer_encoding, fde->address_bytes,
        fde->start);
    /* DWARF 5 6.4.2.1: always greater than the current one. */
    if (pc < rows->next_start)
        rows->is_bad = true;
    rows->next_start = pc;
}

/* True when `code` was one that moves the location. */
static bool execute_location(struct prof_rows *rows, uint8_t code)
{
    switch (code) {
    case CFA_SET_LOC:
        set_location(rows);
        return true;
    case CFA_ADVANCE_LOC1:
        advance(rows, prof_bytes_uint(&rows->program, 1));
        return true;
    case CFA_ADVANCE_LOC2:
        advance(rows, prof_bytes_uint(&rows->program, 2));
        return true;
    case CFA_ADVANCE_LOC4:
        advance(rows, prof_bytes_uint(&rows->program, 4));
        return true;
    case CFA_MIPS_ADVANCE_LOC8:
        advance(rows, prof_bytes_uint(&rows->program, 8));
        return true;
    default:
        return false;
    }
}

static bool execute_cfa(struct prof_rows *rows, uint8_t code)
{
    struct prof_bytes *program = &rows->program;
    uint64_t column;
    switch (code) {
    case CFA_DEF_CFA:
        column = prof_bytes_uleb(program);
        set_cfa(rows, column, (int64_t)prof_bytes_uleb(program));
        return true;
    case CFA_DEF_CFA_SF:
        column = prof_bytes_uleb(program);
        set_cfa(rows, column, factored_sleb(rows));
        return true;
    case CFA_DEF_CFA_REGISTER:
        set_cfa(rows, prof_bytes_uleb(program), rows->rules.cfa_value);
        return true;
    case CFA_DEF_CFA_OFFSET:
        rows->rules.cfa_value = narrow(rows, (int64_t)prof_bytes_uleb(program));
        return true;
    case CFA_DEF_CFA_OFFSET_SF:
        rows->rules.cfa_value = factored_sleb(rows);
        return true;
    case CFA_DEF_CFA_EXPRESSION:
        rows->rules.cfa_rule = PROF_CFA_EXPRESSION;
        rows->rules.cfa_value = skip_block(rows);
        return true;
    default:
        return false;
    }
}

static bool execute_register(struct prof_rows *rows, uint8_t code)
{
    if (code < CFA_OFFSET_EXTENDED || code > CFA_GNU_NEGATIVE_OFFSET_EXTENDED)
        return false;
    struct prof_bytes *program = &rows->program;
    struct prof_bytes before = *program;
    uint64_t column = prof_bytes_uleb(program);
    switch (code) {
    case CFA_OFFSET_EXTENDED:
        set_rule(rows, column, PROF_RULE_OFFSET, factored_uleb(rows));
        return true;
    case CFA_OFFSET_EXTENDED_SF:
        set_rule(rows, column, PROF_RULE_OFFSET, factored_sleb(rows));
        return true;
    case CFA_GNU_NEGATIVE_OFFSET_EXTENDED:
        set_rule(
            rows, column, PROF_RULE_OFFSET,
            narrow(rows, -(int64_t)factored_uleb(rows)));
        return true;
    case CFA_VAL_OFFSET:
        set_rule(rows, column, PROF_RULE_VAL_OFFSET, factored_uleb(rows));
        return true;
    case CFA_VAL_OFFSET_SF:
        set_rule(rows, column, PROF_RULE_VAL_OFFSET, factored_sleb(rows));
        return true;
    case CFA_RESTORE_EXTENDED:
        restore_initial(rows, column);
        return true;
    case CFA_UNDEFINED:
        set_rule(rows, column, PROF_RULE_UNDEFINED, 0);
        return true;
    case CFA_SAME_VALUE:
        set_rule(rows, column, PROF_RULE_SAME, 0);
        return true;
    case CFA_REGISTER:
        set_rule(
            rows, column, PROF_RULE_REGISTER,
            narrow(rows, (int64_t)prof_bytes_uleb(program)));
        return true;
    case CFA_EXPRESSION:
        set_rule(rows, column, PROF_RULE_EXPRESSION, skip_block(rows));
        return true;
    case CFA_VAL_EXPRESSION:
        set_rule(rows, column, PROF_RULE_VAL_EXPRESSION, skip_block(rows));
        return true;
    default:
        *program = before;
        return false;
    }
}

static void execute_rest(struct prof_rows *rows, uint8_t code)
{
    switch (code) {
    case CFA_NOP:
    case CFA_GNU_WINDOW_SAVE: /* SPARC's; aarch64 signs addresses with it */
        return;
    case CFA_GNU_ARGS_SIZE: /* for landing pads: no register moves */
        (void)prof_bytes_uleb(&rows->program);
        return;
    case CFA_REMEMBER_STATE:
        remember(rows);
        return;
    case CFA_RESTORE_STATE:
        restore(rows);
        return;
    default:
        rows->is_bad = true;
    }
}

static void execute(struct prof_rows *rows)
{
    uint8_t code = prof_bytes_u8(&rows->program);
    uint8_t operand = code & CFA_OPERAND;
    switch (code & ~CFA_OPERAND) {
    case CFA_ADVANCE_LOC:
        advance(rows, operand);
        return;
    case CFA_OFFSET:
        set_rule(rows, operand, PROF_RULE_OFFSET, factored_uleb(rows));
        return;
    case CFA_RESTORE:
        restore_initial(rows, operand);
        return;
    default:
        if (!execute_location(rows, code) && !execute_cfa(rows, code) &&
            !execute_register(rows, code))
            execute_rest(rows, code);
    }
}

/* Run up to an instruction that moves the location, or to the end. */
static bool run(struct prof_rows *rows)
{
    uint64_t start = rows->next_start;
    while (rows->program.at < rows->program.end && start == rows->next_start) {
        execute(rows);
        if (rows->is_bad || rows->program.is_bad) {
            rows->is_bad = rows->is_done = true;
            return false;
        }
    }
    return true;
}

void prof_rows_begin(struct prof_rows *rows, const struct prof_fde *fde)
{
    /* Not a compound literal: that would clear the states as well. */
    rows->fde = fde;
    rows->start = rows->end = rows->next_start = fde->start;
    rows->depth = 0;
    rows->is_done = rows->is_bad = false;
    rows->rules = (struct prof_rules){
        .ra_column = fde->ra_column,
        .is_signal_frame = fde->is_signal_frame,
    };
    rows->initial = rows->rules;
    if (fde->ra_column >= PROF_REG_COUNT) {
        rows->is_bad = rows->is_done = true;
        return;
    }
    rows->program = fde->initial;
    if (run(rows) && rows->next_start != fde->start)
        rows->is_bad = rows->is_done = true; /* a CIE has no location */
    rows->initial = rows->rules;
    rows->program = fde->program;
}

bool prof_rows_next(struct prof_rows *rows)
{
    while (!rows->is_done) {
        rows->start = rows->next_start;
        if (!run(rows))
            return false;
        rows->end = rows->next_start;
        if (rows->end == rows->start) {
            rows->is_done = true;
            rows->end = rows->fde->end;
        } else if (rows->end >= rows->fde->end) {
            rows->is_done = true;
            rows->end = rows->fde->end;
        }
        if (rows->start < rows->end)
            return true;
    }
    return false;
}

bool prof_rows_find(
    struct prof_rows *rows, const struct prof_fde *fde, uint64_t pc)
{
    prof_rows_begin(rows, fde);
    while (prof_rows_next(rows))
        if (pc < rows->end)
            return pc >= rows->start;
    return false;
}

struct prof_bytes prof_cfi_expression(
    const struct prof_cfi_source *source, int32_t offset)
{
    struct prof_bytes block = {.at = source->bytes, .end = source->bytes};
    if (offset < 0 || (uint64_t)offset >= source->size_bytes) {
        block.is_bad = true;
        return block;
    }
    block.at += offset;
    block.end += source->size_bytes;
    uint64_t size = prof_bytes_uleb(&block);
    if (prof_bytes_has(&block, size))
        block.end = block.at + size;
    return block;
}
