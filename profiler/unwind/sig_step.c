/* Rules applied to registers and memory; see the header. */
#include "profiler/unwind/sig_step.h"

#include "profiler/unwind/sig_dwarf_expr.h"

struct step {
    const struct prof_rules *rules;
    const struct prof_cfi_source *source;
    const struct prof_regs *regs;
    struct prof_reader *reader;
    uint64_t cfa;
};

static enum prof_step of_expression(enum prof_expr_end end)
{
    switch (end) {
    case PROF_EXPR_DONE:
        return PROF_STEP_DONE;
    case PROF_EXPR_UNKNOWN_REGISTER:
        return PROF_STEP_UNKNOWN_REGISTER;
    default:
        return PROF_STEP_FAILED;
    }
}

static enum prof_step evaluate(
    const struct step *step, int32_t offset, const uint64_t *first,
    uint64_t *result)
{
    struct prof_expr expr = {
        .block = prof_cfi_expression(step->source, offset),
        .regs = step->regs,
        .reader = step->reader,
        .bias = step->source->bias,
    };
    return of_expression(prof_expr_evaluate(&expr, first, result));
}

static enum prof_step find_cfa(struct step *step)
{
    const struct prof_rules *rules = step->rules;
    switch (rules->cfa_rule) {
    case PROF_CFA_REGISTER:
        if (!prof_regs_has(step->regs, rules->cfa_register))
            return PROF_STEP_UNKNOWN_REGISTER;
        step->cfa = step->regs->value[rules->cfa_register] +
                    (uint64_t)(int64_t)rules->cfa_value;
        return PROF_STEP_DONE;
    case PROF_CFA_EXPRESSION:
        return evaluate(step, rules->cfa_value, NULL, &step->cfa);
    default:
        return PROF_STEP_FAILED;
    }
}

static enum prof_step copy_register(
    const struct step *step, unsigned column, uint64_t *value)
{
    if (!prof_regs_has(step->regs, column))
        return PROF_STEP_UNKNOWN_REGISTER;
    *value = step->regs->value[column];
    return PROF_STEP_DONE;
}

static enum prof_step load_register(
    const struct step *step, unsigned column, uint64_t address, uint64_t *value)
{
    if (prof_reader_load(step->reader, address, value))
        return PROF_STEP_DONE;
    if (column != PROF_REG_PC && address < step->regs->value[PROF_REG_SP])
        return copy_register(step, column, value);
    return PROF_STEP_FAILED;
}

/*
 * gcc ends a function that realigns its stack with `leave`, and goes on to say
 * that the caller's frame pointer is at *rbp, which by now is the caller's
 * itself (its DRAP epilogue). Before `leave`, rbp is within the frame.
 */
static bool is_left(const struct step *step, unsigned column, uint64_t address)
{
    uint64_t sp = step->regs->value[PROF_REG_SP];
    return column == PROF_REG_FP && address == step->regs->value[PROF_REG_FP] &&
           address - sp >= step->cfa - sp;
}

static enum prof_step recover(
    const struct step *step, unsigned column, uint64_t *value)
{
    int32_t operand = step->rules->value[column];
    uint64_t at_cfa = step->cfa + (uint64_t)(int64_t)operand;
    uint64_t address;
    enum prof_step end;
    switch (step->rules->rule[column]) {
    case PROF_RULE_SAME:
        return copy_register(step, column, value);
    case PROF_RULE_OFFSET:
        return load_register(step, column, at_cfa, value);
    case PROF_RULE_VAL_OFFSET:
        *value = at_cfa;
        return PROF_STEP_DONE;
    case PROF_RULE_REGISTER:
        return copy_register(step, (unsigned)operand, value);
    case PROF_RULE_EXPRESSION:
        end = evaluate(step, operand, &step->cfa, &address);
        if (end != PROF_STEP_DONE)
            return end;
        if (is_left(step, column, address))
            return copy_register(step, column, value);
        return load_register(step, column, address, value);
    case PROF_RULE_VAL_EXPRESSION:
        return evaluate(step, operand, &step->cfa, value);
    default:
        return PROF_STEP_FAILED; /* PROF_RULE_UNDEFINED */
    }
}

enum prof_step prof_step_apply(
    const struct prof_rules *rules, const struct prof_cfi_source *source,
    struct prof_regs *regs, struct prof_reader *reader)
{
    struct step step = {
        .rules = rules, .source = source, .regs = regs, .reader = reader};
    struct prof_regs caller;
    caller.known = 0;

    if (rules->rule[rules->ra_column] == PROF_RULE_UNDEFINED)
        return PROF_STEP_END;
    enum prof_step end = find_cfa(&step);
    if (end != PROF_STEP_DONE)
        return end;

    uint64_t pc;
    end = recover(&step, rules->ra_column, &pc);
    if (end != PROF_STEP_DONE)
        return end;
    for (unsigned i = 0; i < PROF_REG_COUNT; i++) {
        uint64_t value;
        if (i == PROF_REG_SP && rules->rule[i] == PROF_RULE_SAME)
            prof_regs_set(&caller, i, step.cfa);
        else if (recover(&step, i, &value) == PROF_STEP_DONE)
            prof_regs_set(&caller, i, value);
    }
    if (!prof_regs_has(&caller, PROF_REG_SP))
        return PROF_STEP_FAILED;
    prof_regs_set(&caller, PROF_REG_PC, pc);
    *regs = caller;
    return PROF_STEP_DONE;
}

enum prof_step prof_step_sigreturn(
    struct prof_regs *regs, struct prof_reader *reader)
{
    uint64_t gregs = regs->value[PROF_REG_SP] + PROF_SIGFRAME_GREGS;
    struct prof_regs interrupted = {.known = PROF_REGS_ALL};
    for (unsigned i = 0; i < PROF_REG_COUNT; i++) {
        uint64_t address = gregs + 8u * PROF_GREG_OF_COLUMN[i];
        if (!prof_reader_load(reader, address, &interrupted.value[i]))
            return PROF_STEP_FAILED;
    }
    *regs = interrupted;
    return PROF_STEP_DONE;
}
