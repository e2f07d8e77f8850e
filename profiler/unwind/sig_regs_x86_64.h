/*
 * x86-64: DWARF columns (System V psABI, figure 3.36), the signal frame, and
 * the conventions the walker relies on.
 */
#ifndef PROFILER_UNWIND_SIG_REGS_X86_64_H
#define PROFILER_UNWIND_SIG_REGS_X86_64_H

#include <stdbool.h>
#include <stdint.h>
#include <ucontext.h>

#include "profiler/base/status.h"

enum {
    PROF_REG_RAX,
    PROF_REG_RDX,
    PROF_REG_RCX,
    PROF_REG_RBX,
    PROF_REG_RSI,
    PROF_REG_RDI,
    PROF_REG_RBP,
    PROF_REG_RSP,
    PROF_REG_R8,
    PROF_REG_R15 = 15,
    PROF_REG_RIP, /* the return address column */
    PROF_REG_COUNT,

    /* What the walker calls them, on any processor. */
    PROF_REG_FP = PROF_REG_RBP,
    PROF_REG_SP = PROF_REG_RSP,
    PROF_REG_PC = PROF_REG_RIP,
};

#define PROF_REGS_ALL ((UINT32_C(1) << PROF_REG_COUNT) - 1)
#define PROF_REGS_WALKED                                                       \
    (UINT32_C(1) << PROF_REG_SP | UINT32_C(1) << PROF_REG_FP |                 \
     UINT32_C(1) << PROF_REG_PC)

/* What a leaf function may keep below the stack pointer (psABI 3.2.2). */
#define PROF_RED_ZONE_BYTES 128

/* Kernel addresses and non-canonical ones are no code of the program's. */
#define PROF_PC_MIN         UINT64_C(0x10000)
#define PROF_PC_MAX         UINT64_C(0x7ffffffff000)

SIGNAL_SAFE static inline bool prof_is_code_address(uint64_t pc)
{
    return pc - PROF_PC_MIN < PROF_PC_MAX - PROF_PC_MIN;
}

struct prof_regs {
    uint64_t value[PROF_REG_COUNT];
    uint32_t known; /* bit per column */
};

SIGNAL_SAFE static inline void prof_regs_set(
    struct prof_regs *regs, unsigned column, uint64_t value)
{
    regs->value[column] = value;
    regs->known |= UINT32_C(1) << column;
}

SIGNAL_SAFE static inline bool prof_regs_has(
    const struct prof_regs *regs, unsigned column)
{
    return column < PROF_REG_COUNT && (regs->known >> column & 1) != 0;
}

/*
 * The thread pointer, which libcs let point to a block on top of the thread's
 * stack. Without a load, for there may be none: but the instruction faults
 * where AT_HWCAP2 lacks the bit (FSGSBASE; Linux 5.9).
 */
#define PROF_HWCAP2_THREAD_POINTER (UINT64_C(1) << 1)
SIGNAL_SAFE static inline uint64_t prof_thread_pointer(void)
{
    uint64_t value;
    __asm__ volatile("rdfsbase %0" : "=r"(value));
    return value;
}

/* Where uc_mcontext.gregs holds each DWARF column. */
static const uint8_t PROF_GREG_OF_COLUMN[PROF_REG_COUNT] = {
    REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI,
    REG_RBP, REG_RSP, REG_R8,  REG_R9,  REG_R10, REG_R11,
    REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP,
};

/* The third argument of a signal handler. */
SIGNAL_SAFE static inline void prof_regs_from_ucontext(
    struct prof_regs *regs, const void *ucontext)
{
    const ucontext_t *context = ucontext;
#pragma GCC unroll 17
    for (unsigned i = 0; i < PROF_REG_COUNT; i++)
        regs->value[i] =
            (uint64_t)context->uc_mcontext.gregs[PROF_GREG_OF_COLUMN[i]];
    regs->known = PROF_REGS_ALL;
}

/* Of these only what the walker needs of every frame. */
SIGNAL_SAFE static inline void prof_regs_walked_from_ucontext(
    struct prof_regs *regs, const void *ucontext)
{
    const ucontext_t *context = ucontext;
    const greg_t *gregs = context->uc_mcontext.gregs;
    regs->value[PROF_REG_SP] = (uint64_t)gregs[REG_RSP];
    regs->value[PROF_REG_FP] = (uint64_t)gregs[REG_RBP];
    regs->value[PROF_REG_PC] = (uint64_t)gregs[REG_RIP];
    regs->known = PROF_REGS_WALKED;
}

/*
 * When a handler returns, its `ret` has popped the address of the restorer
 * and the stack pointer is at the ucontext (arch/x86/kernel/signal_64.c,
 * struct rt_sigframe).
 */
#define PROF_SIGFRAME_GREGS  offsetof(ucontext_t, uc_mcontext.gregs)

/* `mov $15, %rax; syscall`, with either encoding of the immediate. */
#define PROF_SIGRETURN_BYTES 9
SIGNAL_SAFE static inline bool prof_is_sigreturn(const uint8_t *code)
{
    static const uint8_t LONG[] = {0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05};
    static const uint8_t SHORT[] = {0xb8, 0x0f, 0, 0, 0, 0x0f, 0x05};
    bool is_long = true, is_short = true;
    for (unsigned i = 0; i < sizeof LONG; i++)
        is_long &= code[i] == LONG[i];
    for (unsigned i = 0; i < sizeof SHORT; i++)
        is_short &= code[i] == SHORT[i];
    return is_long || is_short;
}

#endif
