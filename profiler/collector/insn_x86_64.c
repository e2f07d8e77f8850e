/*
 * Instructions of x86-64, as far as frames go; see the header. (Intel SDM,
 * volume 2: 2.1 to 2.7, and the opcode maps of appendix A)
 */
#include "profiler/collector/insn.h"

#include <string.h>

enum { RSP = 4, RBP = 5 };
enum map { MAP_ONE, MAP_0F, MAP_0F38, MAP_0F3A };

/* One that is being decoded. */
struct decoder {
    const uint8_t *at, *end;
    uint8_t rex;
    bool is_narrow; /* 66: immediates of two bytes */
    bool is_short;  /* the bytes have ended */
    bool is_vex;    /* a vector instruction by a newer prefix */
    enum map map;
    uint8_t opcode;
    bool has_modrm;
    uint8_t mod, reg, rm; /* with the bits of REX */
    uint8_t base;         /* of the address; with SIB, that of it */
    bool has_index;
    int64_t displacement, immediate;
};

static uint8_t take_byte(struct decoder *d)
{
    if (d->at < d->end)
        return *d->at++;
    d->is_short = true;
    return 0;
}

static int64_t take_signed(struct decoder *d, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)take_byte(d) << (8 * i);
    if (bytes == 0 || bytes == 8)
        return (int64_t)value;
    uint64_t sign = UINT64_C(1) << (8 * bytes - 1);
    return (int64_t)((value ^ sign) - sign);
}

/* ---- prefixes ---- */

static bool is_legacy_prefix(uint8_t byte)
{
    switch (byte) {
    case 0x26:
    case 0x2e:
    case 0x36:
    case 0x3e:
    case 0x64:
    case 0x65:
    case 0x66:
    case 0x67:
    case 0xf0:
    case 0xf2:
    case 0xf3:
        return true;
    default:
        return false;
    }
}

static void take_vex(struct decoder *d, uint8_t first)
{
    uint8_t payload = take_byte(d);
    d->is_vex = true;
    d->map = MAP_0F;
    if (first != 0xc5)
        d->map = (enum map)(payload & 3); /* 1 to 3 are the same maps */
    if (first != 0xc5)
        (void)take_byte(d);
    if (first == 0x62)
        (void)take_byte(d);
    d->opcode = take_byte(d);
}

static void take_opcode(struct decoder *d)
{
    uint8_t byte = take_byte(d);
    while (is_legacy_prefix(byte) && !d->is_short) {
        d->is_narrow |= byte == 0x66;
        byte = take_byte(d);
    }
    if ((byte & 0xf0) == 0x40) {
        d->rex = byte;
        byte = take_byte(d);
    }
    if (byte == 0xc4 || byte == 0xc5 || byte == 0x62) {
        take_vex(d, byte);
        return;
    }
    if (byte == 0x0f) {
        d->map = MAP_0F;
        byte = take_byte(d);
        if (byte == 0x38 || byte == 0x3a) {
            d->map = byte == 0x38 ? MAP_0F38 : MAP_0F3A;
            byte = take_byte(d);
        }
    }
    d->opcode = byte;
}

/* ---- operands ---- */

static bool one_has_modrm(uint8_t opcode)
{
    if (opcode < 0x40)
        return (opcode & 7) < 4;
    switch (opcode) {
    case 0x63:
    case 0x69:
    case 0x6b:
    case 0xc0:
    case 0xc1:
    case 0xc6:
    case 0xc7:
    case 0xf6:
    case 0xf7:
    case 0xfe:
    case 0xff:
        return true;
    default:
        return (opcode >= 0x80 && opcode <= 0x8f) ||
               (opcode >= 0xd0 && opcode <= 0xd3) ||
               (opcode >= 0xd8 && opcode <= 0xdf);
    }
}

static bool second_has_modrm(uint8_t opcode)
{
    if ((opcode >= 0x05 && opcode <= 0x0b) || opcode == 0x0e ||
        (opcode >= 0x30 && opcode <= 0x37) || opcode == 0x77 ||
        (opcode >= 0x80 && opcode <= 0x8f) ||
        (opcode >= 0xa0 && opcode <= 0xa2) ||
        (opcode >= 0xa8 && opcode <= 0xaa))
        return false;
    return opcode < 0xc8 || opcode > 0xcf;
}

static void take_modrm(struct decoder *d)
{
    uint8_t byte = take_byte(d);
    d->mod = byte >> 6;
    d->reg = (byte >> 3 & 7) | (d->rex & 4) << 1;
    d->rm = d->base = (byte & 7) | (d->rex & 1) << 3;
    unsigned bytes = d->mod == 1 ? 1 : d->mod == 2 ? 4 : 0;
    if (d->mod != 3 && (byte & 7) == 4) {
        uint8_t sib = take_byte(d);
        d->base = (sib & 7) | (d->rex & 1) << 3;
        d->has_index = (sib >> 3 & 7) != 4 || (d->rex & 2) != 0;
        if (d->mod == 0 && (sib & 7) == 5)
            bytes = 4;
    } else if (d->mod == 0 && (byte & 7) == 5) {
        bytes = 4;
    }
    d->displacement = take_signed(d, bytes);
}

static unsigned one_immediate(const struct decoder *d)
{
    unsigned word = d->is_narrow ? 2 : 4;
    uint8_t opcode = d->opcode;
    if (opcode < 0x40)
        return (opcode & 7) == 4 ? 1 : (opcode & 7) == 5 ? word : 0;
    if ((opcode & 0xf0) == 0x70 || (opcode & 0xf8) == 0xb0)
        return 1;
    if ((opcode & 0xf8) == 0xb8)
        return d->rex & 8 ? 8 : word;
    if ((opcode & 0xfc) == 0xa0)
        return 8;
    switch (opcode) {
    case 0x6a:
    case 0x6b:
    case 0x80:
    case 0x83:
    case 0xa8:
    case 0xc0:
    case 0xc1:
    case 0xc6:
    case 0xcd:
    case 0xe0:
    case 0xe1:
    case 0xe2:
    case 0xe3:
    case 0xe4:
    case 0xe5:
    case 0xe6:
    case 0xe7:
    case 0xeb:
        return 1;
    case 0x68:
    case 0x69:
    case 0x81:
    case 0xa9:
    case 0xc7:
        return word;
    case 0xe8:
    case 0xe9:
        return 4;
    case 0xc2:
    case 0xca:
        return 2;
    case 0xc8:
        return 3;
    case 0xf6:
        return (d->reg & 6) == 0 ? 1 : 0;
    case 0xf7:
        return (d->reg & 6) == 0 ? word : 0;
    default:
        return 0;
    }
}

static unsigned immediate_bytes(const struct decoder *d)
{
    uint8_t opcode = d->opcode;
    switch (d->map) {
    case MAP_ONE:
        return one_immediate(d);
    case MAP_0F3A:
        return 1;
    case MAP_0F38:
        return 0;
    default:
        if ((opcode & 0xf0) == 0x80 && !d->is_vex)
            return 4;
        return (opcode >= 0x70 && opcode <= 0x73) || opcode == 0xa4 ||
                       opcode == 0xac || opcode == 0xba || opcode == 0xc2 ||
                       (opcode >= 0xc4 && opcode <= 0xc6)
                   ? 1
                   : 0;
    }
}

/* Those that are none in 64-bit mode, of the first map. */
static bool is_invalid(const struct decoder *d)
{
    uint8_t opcode = d->opcode;
    if (d->map != MAP_ONE)
        return d->is_vex ? false : d->map == MAP_0F && opcode == 0x04;
    if (opcode < 0x40)
        return (opcode & 7) >= 6;
    switch (opcode) {
    case 0x60:
    case 0x61:
    case 0x82:
    case 0x9a:
    case 0xce:
    case 0xd4:
    case 0xd5:
    case 0xd6:
    case 0xea:
        return true;
    default:
        return false;
    }
}

static void take_operands(struct decoder *d)
{
    if (d->is_vex)
        d->has_modrm = d->map != MAP_0F || d->opcode != 0x77;
    else if (d->map == MAP_ONE)
        d->has_modrm = one_has_modrm(d->opcode);
    else
        d->has_modrm = d->map != MAP_0F || second_has_modrm(d->opcode);
    if (d->has_modrm)
        take_modrm(d);
    d->immediate = take_signed(d, immediate_bytes(d));
}

/* ---- what it means ---- */

static void judge_push(const struct decoder *d, struct prof_insn *insn)
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
static void judge_arithmetic(const struct decoder *d, struct prof_insn *insn)
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
    const struct decoder *d, unsigned from, unsigned to, struct prof_insn *insn)
{
    if (d->mod == 3 && from == RSP && to == RBP)
        insn->kind = PROF_INSN_SET_FP;
    else if (d->mod == 3 && from == RBP && to == RSP)
        insn->kind = PROF_INSN_SP_FP;
    else if (to == RSP && (d->mod == 3 || d->opcode == 0x8b))
        insn->kind = PROF_INSN_LOSE_SP;
}

static void judge_lea(const struct decoder *d, struct prof_insn *insn)
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

static void judge_ff(const struct decoder *d, struct prof_insn *insn)
{
    if ((d->reg & 7) == 6) {
        insn->kind = PROF_INSN_MOVE_SP;
        insn->bytes = 8;
    } else if ((d->reg & 7) == 4) {
        insn->kind = PROF_INSN_JUMP;
    }
}

static void judge_one(
    const struct decoder *d, uint64_t next_pc, struct prof_insn *insn)
{
    uint8_t opcode = d->opcode;
    if ((opcode & 0xf0) == 0x50) {
        judge_push(d, insn);
        return;
    }
    if ((opcode & 0xf0) == 0x70 || (opcode >= 0xe0 && opcode <= 0xe3)) {
        insn->kind = PROF_INSN_BRANCH;
        insn->target = next_pc + (uint64_t)d->immediate;
        return;
    }
    switch (opcode) {
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
    case 0xff:
        judge_ff(d, insn);
        break;
    default:
        break;
    }
}

static void judge_second(
    const struct decoder *d, uint64_t next_pc, struct prof_insn *insn)
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
    if (size_bytes > PROF_INSN_BYTES_MAX)
        size_bytes = PROF_INSN_BYTES_MAX;
    struct decoder d = {.at = bytes, .end = bytes + size_bytes};
    take_opcode(&d);
    if (d.is_short || is_invalid(&d))
        return false;
    take_operands(&d);
    if (d.is_short)
        return false;
    *insn = (struct prof_insn){.length = (unsigned)(d.at - bytes)};
    uint64_t next_pc = pc + insn->length;
    if (!d.is_vex && d.map == MAP_ONE)
        judge_one(&d, next_pc, insn);
    else if (!d.is_vex && d.map == MAP_0F)
        judge_second(&d, next_pc, insn);
    return true;
}
