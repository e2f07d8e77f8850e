/* What of a crash depends on the processor: page faults and instructions. */
#include "profiler/agent/sig_crash.h"

#include "profiler/agent/sys.h"

#include <sys/uio.h>

enum {
    TRAP_PAGE_FAULT = 14,
    ERROR_FETCH = 1 << 4, /* of a page fault: it was an instruction's */
    BREAKPOINT = 0xcc,
    SYSCALL_BYTES = 2,
};

_Static_assert(WIRE_CRASH_REGISTERS >= NGREG, "all of them");

SIGNAL_SAFE void prof_crash_registers(
    struct wire_crash *crash, const ucontext_t *context)
{
    for (unsigned i = 0; i < NGREG; i++)
        crash->registers[i] = (uint64_t)context->uc_mcontext.gregs[i];
}

SIGNAL_SAFE bool prof_crash_peek(void *to, uint64_t from, uint64_t bytes)
{
    struct iovec local = {.iov_base = to, .iov_len = bytes};
    struct iovec remote = {
        .iov_base = (void *)(uintptr_t)from, .iov_len = bytes};
    return sys_call6(
               __NR_process_vm_readv, sys_getpid(), SYS_ARG(&local), 1,
               SYS_ARG(&remote), 1, 0) == (long)bytes;
}

/*
 * A call has pushed where it comes from, and nothing has happened since. One
 * less is within the call itself, as for every caller.
 */
SIGNAL_SAFE bool prof_crash_is_jump(
    int signal, const ucontext_t *context, ucontext_t *call)
{
    const greg_t *regs = context->uc_mcontext.gregs;
    uint64_t return_pc;
    if (signal != SIGSEGV || regs[REG_TRAPNO] != TRAP_PAGE_FAULT ||
        (regs[REG_ERR] & ERROR_FETCH) == 0 ||
        !prof_crash_peek(&return_pc, (uint64_t)regs[REG_RSP], sizeof return_pc))
        return false;
    for (unsigned i = 0; i < NGREG; i++)
        call->uc_mcontext.gregs[i] = regs[i];
    call->uc_mcontext.gregs[REG_RIP] = (greg_t)return_pc - 1;
    call->uc_mcontext.gregs[REG_RSP] += (greg_t)sizeof return_pc;
    return true;
}

SIGNAL_SAFE bool prof_crash_rewind(
    int signal, const siginfo_t *info, ucontext_t *context)
{
    greg_t *pc = &context->uc_mcontext.gregs[REG_RIP];
    switch (signal) {
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
        return true;
    case SIGTRAP: /* of a step there is nothing to be carried out again */
        if (info->si_code != SI_KERNEL ||
            ((const uint8_t *)(uintptr_t)*pc)[-1] != BREAKPOINT)
            return false;
        *pc -= 1;
        return true;
    case SIGSYS: /* the kernel has put the call's number back: seccomp(2) */
        *pc -= SYSCALL_BYTES;
        return true;
    default:
        return false;
    }
}

SIGNAL_SAFE const ucontext_t *prof_crash_frame_context(uint64_t frame)
{
    return (const ucontext_t *)(uintptr_t)(frame + sizeof(void *));
}
