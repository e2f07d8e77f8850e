/* Where handlers return to; see the header. */
#include "profiler/agent/sig_restorer.h"

/*
 * Ends the handler. These very bytes are how gdb, libgcc and libunwind know a
 * signal frame where they find no rules; we look at rules alone, as unwinders
 * do that follow a thread from outside. These say that it is one (the "S"), and
 * where ucontext, which the stack pointer stands at, has the registers: of
 * uc_mcontext.gregs, by DWARF's numbers (System V ABI, figure 3.36).
 */
#define SAVED(number, offset)                                                  \
    ".cfi_escape 0x10, " #number ", 3, 0x77, " #offset                         \
    " & 0x7f | 0x80, " #offset                                                 \
    " >> 7\n" /* DW_CFA_expression: DW_OP_breg7 offset */

__asm__(".text\n"
        ".balign 16\n"
        ".cfi_startproc simple\n"
        ".cfi_signal_frame\n"
        /* DW_CFA_def_cfa_expression: DW_OP_breg7 160, DW_OP_deref */
        ".cfi_escape 0x0f, 4, 0x77, 0xa0, 0x01, 0x06\n" SAVED(8, 40) /* r8 */
        SAVED(9, 48)                                                 /* r9 */
        SAVED(10, 56)                                                /* r10 */
        SAVED(11, 64)                                                /* r11 */
        SAVED(12, 72)                                                /* r12 */
        SAVED(13, 80)                                                /* r13 */
        SAVED(14, 88)                                                /* r14 */
        SAVED(15, 96)                                                /* r15 */
        SAVED(5, 104)                                                /* rdi */
        SAVED(4, 112)                                                /* rsi */
        SAVED(6, 120)                                                /* rbp */
        SAVED(3, 128)                                                /* rbx */
        SAVED(1, 136)                                                /* rdx */
        SAVED(0, 144)                                                /* rax */
        SAVED(2, 152)                                                /* rcx */
        SAVED(7, 160)                                                /* rsp */
        SAVED(16, 168)                                               /* rip */
        "nop\n" /* unwinders look up the return address - 1 */
        ".hidden prof_restore_rt\n"
        ".globl prof_restore_rt\n"
        ".type prof_restore_rt, @function\n"
        "prof_restore_rt:\n"
        "movq $15, %rax\n" /* __NR_rt_sigreturn */
        "syscall\n"
        "ud2\n" /* where a thread stands, as long as that has not returned */
        ".cfi_endproc\n"
        ".size prof_restore_rt, . - prof_restore_rt\n");
