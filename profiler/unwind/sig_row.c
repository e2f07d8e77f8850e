/* Rules to compact rows; see the header. */
#include "profiler/unwind/sig_row.h"

static const uint32_t FULL = PROF_ROW_FULL << PROF_ROW_KIND_BIT;

/* In words, or -1 when it is not a whole number from 0 to `max`. */
static int32_t words_of(int32_t bytes, int32_t max)
{
    if (bytes < 0 || bytes % 8 != 0 || bytes / 8 > max)
        return -1;
    return bytes / 8;
}

static bool is_block(
    const struct prof_cfi_source *source, int32_t offset,
    const uint8_t *pattern, uint32_t size)
{
    struct prof_bytes block = prof_cfi_expression(source, offset);
    if (block.is_bad || block.end - block.at != (ptrdiff_t)size)
        return false;
    for (uint32_t i = 0; i < size; i++)
        if (block.at[i] != pattern[i])
            return false;
    return true;
}

/*
 * A lazy-binding stub pushes a word half way. The linker describes that in
 * one row: rsp + 8 + ((rip & 15) >= N) * 8.
 */
static uint32_t encode_plt(
    const struct prof_rules *rules, const struct prof_cfi_source *source)
{
    uint8_t stub[] = {
        0x77, 8,    /* breg7 (rsp) + 8 */
        0x80, 0,    /* breg16 (rip) + 0 */
        0x3f, 0x1a, /* lit15, and */
        0x30, 0x2a, /* litN, ge */
        0x33, 0x24, /* lit3, shl */
        0x22,       /* plus */
    };
    struct prof_bytes block = prof_cfi_expression(source, rules->cfa_value);
    if (block.is_bad || block.end - block.at != sizeof stub ||
        rules->rule[PROF_REG_FP] != PROF_RULE_SAME)
        return FULL;
    stub[6] = block.at[6];
    if (stub[6] < 0x30 || stub[6] > 0x3f ||
        !is_block(source, rules->cfa_value, stub, sizeof stub))
        return FULL;
    return prof_row_make(PROF_ROW_PLT, 1, stub[6] - 0x30u);
}

/*
 * gcc's prologue of a function that realigns its stack keeps the CFA in
 * memory: *(rbp - N), and the caller's rbp at *rbp.
 */
static uint32_t encode_realigned(
    const struct prof_rules *rules, const struct prof_cfi_source *source)
{
    static const uint8_t AT_FP[] = {0x76, 0}; /* breg6 (rbp) + 0 */
    struct prof_bytes block = prof_cfi_expression(source, rules->cfa_value);
    if (prof_bytes_u8(&block) != 0x76)
        return FULL;
    int64_t offset = prof_bytes_sleb(&block);
    bool is_deref = prof_bytes_u8(&block) == 0x06;
    if (block.is_bad || !is_deref || block.at != block.end ||
        offset < INT16_MIN || offset > 0)
        return FULL;

    int32_t words = words_of((int32_t)-offset, PROF_ROW_WORDS_MAX);
    if (words < 0 || rules->rule[PROF_REG_FP] != PROF_RULE_EXPRESSION ||
        !is_block(source, rules->value[PROF_REG_FP], AT_FP, sizeof AT_FP))
        return FULL;
    return prof_row_make(PROF_ROW_REALIGNED, (uint32_t)words, 0);
}

static uint32_t encode_register(const struct prof_rules *rules)
{
    enum prof_row_kind kind;
    if (rules->cfa_register == PROF_REG_SP)
        kind = PROF_ROW_SP;
    else if (rules->cfa_register == PROF_REG_FP)
        kind = PROF_ROW_FP;
    else
        return FULL;

    int32_t words = words_of(rules->cfa_value, PROF_ROW_WORDS_MAX);
    int32_t slot = 0;
    if (rules->rule[PROF_REG_FP] == PROF_RULE_OFFSET) {
        int32_t offset = rules->value[PROF_REG_FP];
        slot = offset < -8 && offset > INT16_MIN
                   ? words_of(-offset, PROF_ROW_SLOT_MAX)
                   : -1;
    } else if (rules->rule[PROF_REG_FP] != PROF_RULE_SAME) {
        return FULL;
    }
    if (words < 0 || slot < 0)
        return FULL;
    return prof_row_make(kind, (uint32_t)words, (uint32_t)slot);
}

uint32_t prof_row_encode(
    const struct prof_rules *rules, const struct prof_cfi_source *source)
{
    if (rules->rule[rules->ra_column] == PROF_RULE_UNDEFINED)
        return prof_row_make(PROF_ROW_END, 0, 0);
    if (rules->is_signal_frame || rules->ra_column != PROF_REG_PC ||
        rules->rule[PROF_REG_PC] != PROF_RULE_OFFSET ||
        rules->value[PROF_REG_PC] != -8 ||
        rules->rule[PROF_REG_SP] != PROF_RULE_SAME)
        return FULL;
    if (rules->cfa_rule == PROF_CFA_REGISTER)
        return encode_register(rules);
    if (rules->cfa_rule != PROF_CFA_EXPRESSION)
        return FULL;
    uint32_t row = encode_plt(rules, source);
    return row == FULL ? encode_realigned(rules, source) : row;
}
