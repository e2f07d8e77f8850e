/* An x86-64 instruction taken apart: its opcode, operands and length. */
#ifndef PROFILER_COLLECTOR_DECODE_X86_64_H
#define PROFILER_COLLECTOR_DECODE_X86_64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum prof_opcode_map {
    PROF_MAP_ONE,
    PROF_MAP_0F,
    PROF_MAP_0F38,
    PROF_MAP_0F3A
};

struct prof_decoded {
    uint8_t rex;
    bool is_vex; /* a vector instruction by a newer prefix */
    enum prof_opcode_map map;
    uint8_t opcode;
    bool has_modrm;
    uint8_t mod, reg, rm; /* with the bits of REX */
    uint8_t base;         /* of the address; with SIB, that of it */
    bool has_index;
    int64_t displacement, immediate;
    unsigned length;
};

/*
 * Take apart the instruction that begins at `bytes`.
 *
 *   returns  false when it is none, or longer than `size_bytes`
 */
bool prof_decode(
    const uint8_t *bytes, size_t size_bytes, struct prof_decoded *decoded);

#endif
