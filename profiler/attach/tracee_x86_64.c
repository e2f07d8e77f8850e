/* Registers and calls of a held thread, x86-64. */
#include <errno.h>
#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/user.h>

#include "profiler/attach/tracee.h"

/* The kernel's own, which no program sees: include/linux/errno.h. */
enum { KERNEL_ERESTARTNOHAND = 514, KERNEL_ERESTART_RESTARTBLOCK = 516 };

bool prof_tracee_registers(uint32_t tid, struct prof_regs *regs)
{
    struct user_regs_struct user;
    if (ptrace(PTRACE_GETREGS, (pid_t)tid, NULL, &user) != 0)
        return false;
    /* By DWARF's columns. */
    const uint64_t values[PROF_REG_COUNT] = {
        user.rax, user.rdx, user.rcx, user.rbx, user.rsi, user.rdi,
        user.rbp, user.rsp, user.r8,  user.r9,  user.r10, user.r11,
        user.r12, user.r13, user.r14, user.r15, user.rip};
    regs->known = 0;
    for (unsigned column = 0; column < PROF_REG_COUNT; column++)
        prof_regs_set(regs, column, values[column]);
    return true;
}

void prof_tracee_mend_call(uint32_t tid, bool is_running)
{
    struct user_regs_struct user;
    if (ptrace(PTRACE_GETREGS, (pid_t)tid, NULL, &user) != 0)
        return;
    int64_t number = (int64_t)user.orig_rax, result = (int64_t)user.rax;
    bool is_over = result == -EINTR && number != SYS_close;
    bool is_remembered = result == -KERNEL_ERESTART_RESTARTBLOCK && is_running;
    if (number < 0 || (!is_over && !is_remembered))
        return;
    user.rax = (unsigned long long)-(int64_t)KERNEL_ERESTARTNOHAND;
    (void)ptrace(PTRACE_SETREGS, (pid_t)tid, NULL, &user);
}
