/* The expression evaluator: a stack machine; see the header. */
#include "profiler/unwind/sig_dwarf_expr.h"

enum {
    OP_ADDR = 0x03,
    OP_DEREF = 0x06,
    OP_CONST1U = 0x08,
    OP_CONST1S = 0x09,
    OP_CONST2U = 0x0a,
    OP_CONST2S = 0x0b,
    OP_CONST4U = 0x0c,
    OP_CONST4S = 0x0d,
    OP_CONST8U = 0x0e,
    OP_CONST8S = 0x0f,
    OP_CONSTU = 0x10,
    OP_CONSTS = 0x11,
    OP_DUP = 0x12,
    OP_DROP = 0x13,
    OP_OVER = 0x14,
    OP_PICK = 0x15,
    OP_SWAP = 0x16,
    OP_ROT = 0x17,
    OP_ABS = 0x19,
    OP_AND = 0x1a,
    OP_DIV = 0x1b,
    OP_MINUS = 0x1c,
    OP_MOD = 0x1d,
    OP_MUL = 0x1e,
    OP_NEG = 0x1f,
    OP_NOT = 0x20,
    OP_OR = 0x21,
    OP_PLUS = 0x22,
    OP_PLUS_UCONST = 0x23,
    OP_SHL = 0x24,
    OP_SHR = 0x25,
    OP_SHRA = 0x26,
    OP_XOR = 0x27,
    OP_BRA = 0x28,
    OP_EQ = 0x29,
    OP_GE = 0x2a,
    OP_GT = 0x2b,
    OP_LE = 0x2c,
    OP_LT = 0x2d,
    OP_NE = 0x2e,
    OP_SKIP = 0x2f,
    OP_LIT0 = 0x30,
    OP_LIT31 = 0x4f,
    OP_REG0 = 0x50,
    OP_REG31 = 0x6f,
    OP_BREG0 = 0x70,
    OP_BREG31 = 0x8f,
    OP_REGX = 0x90,
    OP_BREGX = 0x92,
    OP_DEREF_SIZE = 0x94,
    OP_NOP = 0x96,
};

struct machine {
    const struct prof_expr *expr;
    struct prof_bytes code;
    const uint8_t *begin;
    enum prof_expr_end end; /* DONE while all is well */
    uint32_t depth;
    uint64_t stack[PROF_EXPR_STACK];
};

static void stop(struct machine *m, enum prof_expr_end end)
{
    if (m->end == PROF_EXPR_DONE)
        m->end = end;
}

static void push(struct machine *m, uint64_t value)
{
    if (m->depth == PROF_EXPR_STACK) {
        stop(m, PROF_EXPR_INVALID);
        return;
    }
    m->stack[m->depth++] = value;
}

static uint64_t pop(struct machine *m)
{
    if (m->depth == 0) {
        stop(m, PROF_EXPR_INVALID);
        return 0;
    }
    return m->stack[--m->depth];
}

/* The entry `index` below the top. */
static uint64_t peek(struct machine *m, uint32_t index)
{
    if (index >= m->depth) {
        stop(m, PROF_EXPR_INVALID);
        return 0;
    }
    return m->stack[m->depth - 1 - index];
}

static void push_register(struct machine *m, uint64_t column, int64_t offset)
{
    if (column >= PROF_REG_COUNT)
        stop(m, PROF_EXPR_INVALID);
    else if (!prof_regs_has(m->expr->regs, (unsigned)column))
        stop(m, PROF_EXPR_UNKNOWN_REGISTER);
    else
        push(m, m->expr->regs->value[column] + (uint64_t)offset);
}

static void rotate(struct machine *m)
{
    uint64_t top = pop(m), second = pop(m), third = pop(m);
    push(m, top);
    push(m, third);
    push(m, second);
}

/* Words are all a reader gives; a small value may be the last in its window. */
static void load(struct machine *m, unsigned width)
{
    uint64_t address = pop(m), word;
    if (width != 1 && width != 2 && width != 4 && width != 8) {
        stop(m, PROF_EXPR_INVALID);
        return;
    }
    unsigned spare = 8 - width;
    if (prof_reader_load(m->expr->reader, address, &word))
        push(m, word << 8 * spare >> 8 * spare);
    else if (prof_reader_load(m->expr->reader, address - spare, &word))
        push(m, word >> 8 * spare);
    else
        stop(m, PROF_EXPR_UNREADABLE);
}

static void branch(struct machine *m, bool is_taken)
{
    int64_t distance = prof_bytes_sint(&m->code, 2);
    int64_t here = m->code.at - m->begin;
    int64_t size = m->code.end - m->begin;
    if (!is_taken)
        return;
    if (here + distance < 0 || here + distance > size)
        stop(m, PROF_EXPR_INVALID);
    else
        m->code.at += distance;
}

static bool push_constant(struct machine *m, uint8_t op)
{
    struct prof_bytes *code = &m->code;
    if (op >= OP_LIT0 && op <= OP_LIT31) {
        push(m, op - OP_LIT0);
        return true;
    }
    if (op >= OP_CONST1U && op <= OP_CONST8S) {
        unsigned width = 1u << (op - OP_CONST1U) / 2;
        bool is_signed = (op - OP_CONST1U) % 2 == 1;
        uint64_t value = prof_bytes_uint(code, width);
        push(m, is_signed ? (uint64_t)prof_sign_extend(value, width) : value);
        return true;
    }
    switch (op) {
    case OP_ADDR:
        push(m, prof_bytes_uint(code, 8) + m->expr->bias);
        return true;
    case OP_CONSTU:
        push(m, prof_bytes_uleb(code));
        return true;
    case OP_CONSTS:
        push(m, (uint64_t)prof_bytes_sleb(code));
        return true;
    default:
        return false;
    }
}

/* As in libgcc, a plain register location stands for its value. */
static bool use_register(struct machine *m, uint8_t op)
{
    if (op >= OP_REG0 && op <= OP_REG31) {
        push_register(m, op - OP_REG0, 0);
        return true;
    }
    if (op >= OP_BREG0 && op <= OP_BREG31) {
        push_register(m, op - OP_BREG0, prof_bytes_sleb(&m->code));
        return true;
    }
    if (op == OP_REGX) {
        push_register(m, prof_bytes_uleb(&m->code), 0);
        return true;
    }
    if (op == OP_BREGX) {
        uint64_t column = prof_bytes_uleb(&m->code);
        push_register(m, column, prof_bytes_sleb(&m->code));
        return true;
    }
    return false;
}

static bool move_stack(struct machine *m, uint8_t op)
{
    switch (op) {
    case OP_DUP:
        push(m, peek(m, 0));
        return true;
    case OP_DROP:
        (void)pop(m);
        return true;
    case OP_OVER:
        push(m, peek(m, 1));
        return true;
    case OP_PICK:
        push(m, peek(m, prof_bytes_u8(&m->code)));
        return true;
    case OP_SWAP: {
        uint64_t top = pop(m), second = pop(m);
        push(m, top);
        push(m, second);
        return true;
    }
    case OP_ROT:
        rotate(m);
        return true;
    default:
        return false;
    }
}

static bool compute_unary(struct machine *m, uint8_t op)
{
    uint64_t value;
    switch (op) {
    case OP_ABS:
        value = pop(m);
        push(m, (int64_t)value < 0 ? -value : value);
        return true;
    case OP_NEG:
        push(m, -pop(m));
        return true;
    case OP_NOT:
        push(m, ~pop(m));
        return true;
    case OP_PLUS_UCONST:
        value = pop(m);
        push(m, value + prof_bytes_uleb(&m->code));
        return true;
    default:
        return false;
    }
}

/* Division is signed and has two cases C leaves undefined. */
static uint64_t divide(struct machine *m, uint64_t left, uint64_t right)
{
    if (right == 0) {
        stop(m, PROF_EXPR_INVALID);
        return 0;
    }
    if (right == UINT64_MAX)
        return -left;
    return (uint64_t)((int64_t)left / (int64_t)right);
}

static uint64_t modulo(struct machine *m, uint64_t left, uint64_t right)
{
    if (right == 0) {
        stop(m, PROF_EXPR_INVALID);
        return 0;
    }
    return left % right;
}

static uint64_t shift_right_signed(uint64_t value, uint64_t count)
{
    return (uint64_t)((int64_t)value >> (count < 64 ? count : 63));
}

static uint64_t binary(
    struct machine *m, uint8_t op, uint64_t left, uint64_t right)
{
    int64_t sleft = (int64_t)left, sright = (int64_t)right;
    switch (op) {
    case OP_AND:
        return left & right;
    case OP_DIV:
        return divide(m, left, right);
    case OP_MINUS:
        return left - right;
    case OP_MOD:
        return modulo(m, left, right);
    case OP_MUL:
        return left * right;
    case OP_OR:
        return left | right;
    case OP_PLUS:
        return left + right;
    case OP_SHL:
        return right < 64 ? left << right : 0;
    case OP_SHR:
        return right < 64 ? left >> right : 0;
    case OP_SHRA:
        return shift_right_signed(left, right);
    case OP_XOR:
        return left ^ right;
    case OP_EQ:
        return left == right;
    case OP_GE:
        return sleft >= sright;
    case OP_GT:
        return sleft > sright;
    case OP_LE:
        return sleft <= sright;
    case OP_LT:
        return sleft < sright;
    default:
        return left != right; /* OP_NE */
    }
}

static bool compute_binary(struct machine *m, uint8_t op)
{
    bool is_binary = (op >= OP_AND && op <= OP_MUL) ||
                     (op >= OP_OR && op <= OP_XOR && op != OP_PLUS_UCONST) ||
                     (op >= OP_EQ && op <= OP_NE);
    if (!is_binary)
        return false;
    uint64_t right = pop(m), left = pop(m);
    push(m, binary(m, op, left, right));
    return true;
}

static void execute_rest(struct machine *m, uint8_t op)
{
    switch (op) {
    case OP_DEREF:
        load(m, 8);
        return;
    case OP_DEREF_SIZE:
        load(m, prof_bytes_u8(&m->code));
        return;
    case OP_BRA:
        branch(m, pop(m) != 0);
        return;
    case OP_SKIP:
        branch(m, true);
        return;
    case OP_NOP:
        return;
    default:
        stop(m, PROF_EXPR_INVALID);
    }
}

enum prof_expr_end prof_expr_evaluate(
    const struct prof_expr *expr, const uint64_t *first, uint64_t *result)
{
    struct machine m; /* not cleared: the stack is written before it is read */
    m.expr = expr;
    m.code = expr->block;
    m.begin = expr->block.at;
    m.end = expr->block.is_bad ? PROF_EXPR_INVALID : PROF_EXPR_DONE;
    m.depth = 0;
    if (first != NULL)
        push(&m, *first);

    for (unsigned steps = 0; m.code.at < m.code.end; steps++) {
        if (steps == PROF_EXPR_STEPS)
            stop(&m, PROF_EXPR_INVALID);
        if (m.end != PROF_EXPR_DONE)
            return m.end;
        uint8_t op = prof_bytes_u8(&m.code);
        if (!push_constant(&m, op) && !use_register(&m, op) &&
            !move_stack(&m, op) && !compute_unary(&m, op) &&
            !compute_binary(&m, op))
            execute_rest(&m, op);
        if (m.code.is_bad)
            stop(&m, PROF_EXPR_INVALID);
    }
    uint64_t top = pop(&m);
    if (m.end == PROF_EXPR_DONE)
        *result = top;
    return m.end;
}
