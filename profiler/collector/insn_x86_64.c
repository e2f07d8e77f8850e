/* What instructions of x86-64 do to frames; see the header. */
#include "profiler/collector/insn.h"

#include "profiler/collector/decode_x86_64.h"

enum { RSP = 4, RBP = 5 };

static void judge_push(const struct prof_decoded *d, struct prof_insn *insn)
{
    unsigned reg = (d->opcode & 7) | (d->rex & 1) << 3;
    bool is_pop = (d->opcode & 8) != 0;
    insn->bytes = is_pop ? -8 : 8;
    insn->kind = PROF_INSN_MOVE_SP;
    if (reg == RBP)
        insn->kind = is_pop ? PROF_INSN_LOAD_FP : PROF_INSN_SAVE_FP;
    if (is_pop && reg == RSP)
        insn->kind = PROF_INSN_LOSE_SP;
}

/* add, sub, and others, of an immediate and the stack pointer. */
static void judge_arithmetic(
    const struct prof_decoded *d, struct prof_insn *insn)
{
    if (d->mod != 3 || d->rm != RSP)
        return;
    insn->kind = PROF_INSN_MOVE_SP;
    if (d->reg == 5)
        insn->bytes = d->immediate;
    else if (d->reg == 0)
        insn->bytes = -d->immediate;
    else
        insn->kind = d->reg == 7 ? PROF_INSN_OTHER : PROF_INSN_LOSE_SP;
}

/* mov between registers: `from` and `to`. */
static void judge_move(
    const struct prof_decoded *d, unsigned from, unsigned to,
    struct prof_insn *insn)
{
    if (d->mod == 3 && from == RSP && to == RBP)
        insn->kind = PROF_INSN_SET_FP;
    else if (d->mod == 3 && from == RBP && to == RSP)
        insn->kind = PROF_INSN_SP_FP;
    else if (to == RSP && (d->mod == 3 || d->opcode == 0x8b))
        insn->kind = PROF_INSN_LOSE_SP;
}

static void judge_lea(const struct prof_decoded *d, struct prof_insn *insn)
{
    if (d->reg != RSP)
        return;
    bool is_plain = !d->has_index && d->mod != 0;
    insn->kind = PROF_INSN_LOSE_SP;
    if (is_plain && d->base == RSP) {
        insn->kind = PROF_INSN_MOVE_SP;
        insn->bytes = -d->displacement;
    } else if (is_plain && d->base == RBP) {
        insn->kind = PROF_INSN_SP_FP;
        insn->bytes = -d->displacement;
    }
}

static void judge_ff(const struct prof_decoded *d, struct prof_insn *insn)
{
    if ((d->reg & 7) == 6) {
        insn->kind = PROF_INSN_MOVE_SP;
        insn->bytes = 8;
    } else if ((d->reg & 7) == 4) {
        insn->kind = PROF_INSN_JUMP;
    }
}

/* Where control goes from here, if that is not to the next one. */
static void judge_flow(
    const struct prof_decoded *d, uint64_t next_pc, struct prof_insn *insn)
{
    switch (d->opcode) {
    case 0xe0:
    case 0xe1:
    case 0xe2:
    case 0xe3:
        insn->kind = PROF_INSN_BRANCH;
        insn->target = next_pc + (uint64_t)d->immediate;
        break;
    case 0xe9:
    case 0xeb:
        insn->kind = PROF_INSN_JUMP;
        insn->target = next_pc + (uint64_t)d->immediate;
        break;
    case 0xc2:
    case 0xc3:
    case 0xca:
    case 0xcb:
    case 0xcc:
    case 0xcf:
    case 0xf4:
        insn->kind = PROF_INSN_END;
        break;
    default:
        if ((d->opcode & 0xf0) != 0x70)
            break;
        insn->kind = PROF_INSN_BRANCH;
        insn->target = next_pc + (uint64_t)d->immediate;
        break;
    }
}

/* What becomes of stack and frame pointer. */
static void judge_stack(const struct prof_decoded *d, struct prof_insn *insn)
{
    switch (d->opcode) {
    case 0x68:
    case 0x6a:
    case 0x9c:
        insn->kind = PROF_INSN_MOVE_SP;
        insn->bytes = 8;
        break;
    case 0x8f:
    case 0x9d:
        insn->kind = PROF_INSN_MOVE_SP;
        insn->bytes = -8;
        break;
    case 0x81:
    case 0x83:
        judge_arithmetic(d, insn);
        break;
    case 0x01:
    case 0x29:
    case 0x21: /* add, sub, and: of a register */
        if (d->mod == 3 && d->rm == RSP)
            insn->kind = PROF_INSN_LOSE_SP;
        break;
    case 0x03:
    case 0x2b:
    case 0x23:
        if (d->reg == RSP)
            insn->kind = PROF_INSN_LOSE_SP;
        break;
    case 0x89:
        judge_move(d, d->reg, d->rm, insn);
        break;
    case 0x8b:
        judge_move(d, d->rm, d->reg, insn);
        break;
    case 0x8d:
        judge_lea(d, insn);
        break;
    case 0xc9:
        insn->kind = PROF_INSN_LEAVE;
        break;
    case 0xff:
        judge_ff(d, insn);
        break;
    default:
        if ((d->opcode & 0xf0) == 0x50)
            judge_push(d, insn);
        break;
    }
}

static void judge_second(
    const struct prof_decoded *d, uint64_t next_pc, struct prof_insn *insn)
{
    if ((d->opcode & 0xf0) == 0x80) {
        insn->kind = PROF_INSN_BRANCH;
        insn->target = next_pc + (uint64_t)d->immediate;
    } else if (d->opcode == 0x05) {
        insn->kind = PROF_INSN_SYSCALL;
    } else if (d->opcode == 0x0b) {
        insn->kind = PROF_INSN_END; /* ud2 */
    }
}

bool prof_insn_decode(
    const uint8_t *bytes, size_t size_bytes, uint64_t pc,
    struct prof_insn *insn)
{
    struct prof_decoded d;
    if (size_bytes > PROF_INSN_BYTES_MAX)
        size_bytes = PROF_INSN_BYTES_MAX;
    if (!prof_decode(bytes, size_bytes, &d))
        return false;
    *insn = (struct prof_insn){.length = d.length};
    uint64_t next_pc = pc + d.length;
    if (!d.is_vex && d.map == PROF_MAP_ONE) {
        judge_flow(&d, next_pc, insn);
        judge_stack(&d, insn);
    } else if (!d.is_vex && d.map == PROF_MAP_0F) {
        judge_second(&d, next_pc, insn);
    }
    return true;
}
