/* x86-64: the registers of a sample of perf's, asm/perf_regs.h. */
#ifndef PROFILER_TAP_REGS_X86_64_H
#define PROFILER_TAP_REGS_X86_64_H

#include <stdint.h>
#include <string.h>

#include <asm/perf_regs.h>

#include "profiler/unwind/sig_regs.h"

/* Which of perf's is each DWARF column. */
static const uint8_t PROF_TAP_REG_OF_COLUMN[PROF_REG_COUNT] = {
    PERF_REG_X86_AX,  PERF_REG_X86_DX,  PERF_REG_X86_CX,  PERF_REG_X86_BX,
    PERF_REG_X86_SI,  PERF_REG_X86_DI,  PERF_REG_X86_BP,  PERF_REG_X86_SP,
    PERF_REG_X86_R8,  PERF_REG_X86_R9,  PERF_REG_X86_R10, PERF_REG_X86_R11,
    PERF_REG_X86_R12, PERF_REG_X86_R13, PERF_REG_X86_R14, PERF_REG_X86_R15,
    PERF_REG_X86_IP,
};

/* attr.sample_regs_user: those and no other; flags and segments lead nowhere.
 */
static inline uint64_t prof_tap_regs_mask(void)
{
    uint64_t mask = 0;
    for (unsigned i = 0; i < PROF_REG_COUNT; i++)
        mask |= UINT64_C(1) << PROF_TAP_REG_OF_COLUMN[i];
    return mask;
}

/* `values`: one for each bit of the mask, from the lowest. */
static inline void prof_tap_regs_load(
    struct prof_regs *regs, const uint64_t *values)
{
    uint64_t mask = prof_tap_regs_mask();
    for (unsigned i = 0; i < PROF_REG_COUNT; i++) {
        uint64_t below = (UINT64_C(1) << PROF_TAP_REG_OF_COLUMN[i]) - 1;
        regs->value[i] = values[__builtin_popcountll(mask & below)];
    }
    regs->known = PROF_REGS_ALL;
}

#endif
