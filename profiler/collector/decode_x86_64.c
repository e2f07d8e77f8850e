/*
 * The fields of an x86-64 instruction; see the header. (Intel SDM, volume 2:
 * 2.1 to 2.7, and the opcode maps of appendix A)
 */
#include "profiler/collector/decode_x86_64.h"

/* The bytes that are left of one that is being decoded. */
struct decoder {
    const uint8_t *at, *end;
    bool is_narrow; /* 66: immediates of two bytes */
    bool is_short;  /* the bytes have ended */
    struct prof_decoded insn;
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
    d->insn.is_vex = true;
    d->insn.map = PROF_MAP_0F;
    if (first != 0xc5)
        d->insn.map =
            (enum prof_opcode_map)(payload & 3); /* 1 to 3 are the same maps */
    if (first != 0xc5)
        (void)take_byte(d);
    if (first == 0x62)
        (void)take_byte(d);
    d->insn.opcode = take_byte(d);
}

static void take_opcode(struct decoder *d)
{
    uint8_t byte = take_byte(d);
    while (is_legacy_prefix(byte) && !d->is_short) {
        d->is_narrow |= byte == 0x66;
        byte = take_byte(d);
    }
    if ((byte & 0xf0) == 0x40) {
        d->insn.rex = byte;
        byte = take_byte(d);
    }
    if (byte == 0xc4 || byte == 0xc5 || byte == 0x62) {
        take_vex(d, byte);
        return;
    }
    if (byte == 0x0f) {
        d->insn.map = PROF_MAP_0F;
        byte = take_byte(d);
        if (byte == 0x38 || byte == 0x3a) {
            d->insn.map = byte == 0x38 ? PROF_MAP_0F38 : PROF_MAP_0F3A;
            byte = take_byte(d);
        }
    }
    d->insn.opcode = byte;
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
    d->insn.mod = byte >> 6;
    d->insn.reg = (byte >> 3 & 7) | (d->insn.rex & 4) << 1;
    d->insn.rm = d->insn.base = (byte & 7) | (d->insn.rex & 1) << 3;
    unsigned bytes = d->insn.mod == 1 ? 1 : d->insn.mod == 2 ? 4 : 0;
    if (d->insn.mod != 3 && (byte & 7) == 4) {
        uint8_t sib = take_byte(d);
        d->insn.base = (sib & 7) | (d->insn.rex & 1) << 3;
        d->insn.has_index = (sib >> 3 & 7) != 4 || (d->insn.rex & 2) != 0;
        if (d->insn.mod == 0 && (sib & 7) == 5)
            bytes = 4;
    } else if (d->insn.mod == 0 && (byte & 7) == 5) {
        bytes = 4;
    }
    d->insn.displacement = take_signed(d, bytes);
}

static unsigned one_immediate(const struct decoder *d)
{
    unsigned word = d->is_narrow ? 2 : 4;
    uint8_t opcode = d->insn.opcode;
    if (opcode < 0x40)
        return (opcode & 7) == 4 ? 1 : (opcode & 7) == 5 ? word : 0;
    if ((opcode & 0xf0) == 0x70 || (opcode & 0xf8) == 0xb0)
        return 1;
    if ((opcode & 0xf8) == 0xb8)
        return d->insn.rex & 8 ? 8 : word;
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
        return (d->insn.reg & 6) == 0 ? 1 : 0;
    case 0xf7:
        return (d->insn.reg & 6) == 0 ? word : 0;
    default:
        return 0;
    }
}

static unsigned immediate_bytes(const struct decoder *d)
{
    uint8_t opcode = d->insn.opcode;
    switch (d->insn.map) {
    case PROF_MAP_ONE:
        return one_immediate(d);
    case PROF_MAP_0F3A:
        return 1;
    case PROF_MAP_0F38:
        return 0;
    default:
        if ((opcode & 0xf0) == 0x80 && !d->insn.is_vex)
            return 4;
        return (opcode >= 0x70 && opcode <= 0x73) || opcode == 0xa4 ||
                       opcode == 0xac || opcode == 0xba || opcode == 0xc2 ||
                       (opcode >= 0xc4 && opcode <= 0xc6)
                   ? 1
                   : 0;
    }
}

/* Those that are none in 64-bit mode, of the first map. */
static bool is_invalid(const struct prof_decoded *d)
{
    uint8_t opcode = d->opcode;
    if (d->map != PROF_MAP_ONE)
        return d->is_vex ? false : d->map == PROF_MAP_0F && opcode == 0x04;
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
    if (d->insn.is_vex)
        d->insn.has_modrm =
            d->insn.map != PROF_MAP_0F || d->insn.opcode != 0x77;
    else if (d->insn.map == PROF_MAP_ONE)
        d->insn.has_modrm = one_has_modrm(d->insn.opcode);
    else
        d->insn.has_modrm =
            d->insn.map != PROF_MAP_0F || second_has_modrm(d->insn.opcode);
    if (d->insn.has_modrm)
        take_modrm(d);
    d->insn.immediate = take_signed(d, immediate_bytes(d));
}

bool prof_decode(
    const uint8_t *bytes, size_t size_bytes, struct prof_decoded *decoded)
{
    struct decoder d = {.at = bytes, .end = bytes + size_bytes};
    take_opcode(&d);
    if (d.is_short || is_invalid(&d.insn))
        return false;
    take_operands(&d);
    if (d.is_short)
        return false;
    *decoded = d.insn;
    decoded->length = (unsigned)(d.at - bytes);
    return true;
}
