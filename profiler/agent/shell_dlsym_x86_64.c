/*
 * Interposed: dlsym, to notice modules that dlopen() has brought.
 *
 * dlopen and dlsym look at their caller's address: for $ORIGIN and RUNPATH,
 * and for RTLD_NEXT. So ours must not call the real one but jump to it, with
 * the stack as the caller left it. What is done before the jump sees the state
 * after the last dlopen, and a program that opens a module asks for a symbol
 * next.
 */
#include "profiler/agent/shell.h"
#include "profiler/agent/shell_engine.h"

#include <stdint.h>

/* Called by the code below; returns the real dlsym. */
__attribute__((used, visibility("hidden"))) void *shell_before_dlsym(void);

void *shell_before_dlsym(void)
{
    shell_engine_update();
    return (void *)(uintptr_t)shell_real_dlsym();
}

__asm__(".text\n"
        ".balign 16\n"
        ".globl dlsym\n"
        ".type dlsym, @function\n"
        "dlsym:\n"
        ".cfi_startproc\n"
        "endbr64\n"
        "pushq %rdi\n"
        ".cfi_adjust_cfa_offset 8\n"
        "pushq %rsi\n"
        ".cfi_adjust_cfa_offset 8\n"
        "subq $8, %rsp\n" /* calls want the stack aligned to 16 */
        ".cfi_adjust_cfa_offset 8\n"
        "call shell_before_dlsym\n"
        "addq $8, %rsp\n"
        ".cfi_adjust_cfa_offset -8\n"
        "popq %rsi\n"
        ".cfi_adjust_cfa_offset -8\n"
        "popq %rdi\n"
        ".cfi_adjust_cfa_offset -8\n"
        "jmp *%rax\n"
        ".cfi_endproc\n"
        ".size dlsym, . - dlsym\n");
