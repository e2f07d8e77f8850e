/* The kernel's numbers of registers (asm/perf_regs.h) and DWARF's, x86-64. */
#include "profiler/attach/perf_regs.h"

#include <asm/perf_regs.h>

#define BIT(number) (UINT64_C(1) << (number))

const uint64_t prof_perf_regs_mask =
    BIT(PERF_REG_X86_AX) | BIT(PERF_REG_X86_BX) | BIT(PERF_REG_X86_CX) |
    BIT(PERF_REG_X86_DX) | BIT(PERF_REG_X86_SI) | BIT(PERF_REG_X86_DI) |
    BIT(PERF_REG_X86_BP) | BIT(PERF_REG_X86_SP) | BIT(PERF_REG_X86_IP) |
    BIT(PERF_REG_X86_R8) | BIT(PERF_REG_X86_R9) | BIT(PERF_REG_X86_R10) |
    BIT(PERF_REG_X86_R11) | BIT(PERF_REG_X86_R12) | BIT(PERF_REG_X86_R13) |
    BIT(PERF_REG_X86_R14) | BIT(PERF_REG_X86_R15);

/* By the order of the bits. */
static const unsigned char columns[] = {
    PROF_REG_RAX,    PROF_REG_RBX,    PROF_REG_RCX,    PROF_REG_RDX,
    PROF_REG_RSI,    PROF_REG_RDI,    PROF_REG_RBP,    PROF_REG_RSP,
    PROF_REG_RIP,    PROF_REG_R8,     PROF_REG_R8 + 1, PROF_REG_R8 + 2,
    PROF_REG_R8 + 3, PROF_REG_R8 + 4, PROF_REG_R8 + 5, PROF_REG_R8 + 6,
    PROF_REG_R15};

const unsigned prof_perf_regs_count = sizeof columns;

void prof_perf_regs_read(const uint64_t *words, struct prof_regs *regs)
{
    regs->known = 0;
    for (unsigned i = 0; i < sizeof columns; i++)
        prof_regs_set(regs, columns[i], words[i]);
}
