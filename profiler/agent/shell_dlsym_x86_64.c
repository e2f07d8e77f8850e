/*
 * Interposed: dlsym, to notice modules that dlopen() has brought, and to stand
 * behind who has a sigaction() of his own (shell_between.c).
 *
 * dlopen and dlsym look at their caller's address: for $ORIGIN and RUNPATH,
 * and for RTLD_NEXT. So ours must not call the real one but jump to it, with
 * the stack as the caller left it. What is done before the jump sees the state
 * after the last dlopen, and a program that opens a module asks for a symbol
 * next.
 */
#include "profiler/agent/shell.h"
#include "profiler/agent/shell_between.h"
#include "profiler/agent/shell_engine.h"

#include <stdint.h>

/* Called by the code below, which jumps to `real` where there is no answer. */
struct shell_found {
    void *answer, *real;
};

__attribute__((used, visibility("hidden"))) struct shell_found
shell_before_dlsym(void *handle, const char *name, const void *caller);

struct shell_found shell_before_dlsym(
    void *handle, const char *name, const void *caller)
{
    shell_engine_update();
    return (struct shell_found){
        .answer = shell_between_answer(handle, name, caller),
        .real = (void *)(uintptr_t)shell_real_dlsym()};
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
        "movq 24(%rsp), %rdx\n" /* where the caller goes on */
        "call shell_before_dlsym\n"
        "addq $8, %rsp\n"
        ".cfi_adjust_cfa_offset -8\n"
        "popq %rsi\n"
        ".cfi_adjust_cfa_offset -8\n"
        "popq %rdi\n"
        ".cfi_adjust_cfa_offset -8\n"
        "testq %rax, %rax\n"
        "jz 1f\n"
        "ret\n"
        "1: jmp *%rdx\n"
        ".cfi_endproc\n"
        ".size dlsym, . - dlsym\n");
