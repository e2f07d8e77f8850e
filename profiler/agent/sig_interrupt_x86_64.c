/*
 * System calls that a signal of the program's must interrupt.
 *
 * A call that sleeps is woken by a signal and returns -ERESTARTSYS inside the
 * kernel. The first signal to be delivered then decides: with SA_RESTART the
 * registers are set back to the SYSCALL instruction, without it the call
 * returns EINTR (handle_signal() in arch/x86/kernel/signal.c). Being woken
 * takes CPU time, so our perf event may expire before the kernel returns, and
 * its SIGTRAP is delivered before the signal that woke the thread. Ours has
 * SA_RESTART: the program's handler would run, and the call it was to interrupt
 * would sleep on, for ever when that was an alarm(2). Measured: 13 to 17 of
 * 2 000 wakings at 997 Hz, 109 of 400 at 20 kHz (tests/programs/wakings.c).
 *
 * So where our handler finds a call about to be restarted, and a signal waits
 * whose handler was installed without SA_RESTART, it does what the kernel would
 * have done without us. It asks the kernel for both; calls that were merely
 * sampled while they ran do not come here, and after a seccomp filter was
 * installed nothing is asked.
 */
#include "profiler/agent/sig_interrupt.h"

#include "profiler/agent/kernel_sigaction.h"
#include "profiler/agent/sig_core.h"
#include "profiler/agent/signals.h"
#include "profiler/agent/sys.h"

#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <ucontext.h>

enum { SYSCALL_BYTES = 2, SIGNALS = 64 };

/*
 * Calls that return EINTR to a handler without SA_RESTART (signal(7)). Others,
 * clone() first, are restarted whatever the handler's flags (-ERESTARTNOINTR),
 * and where the call is only about to be made for the first time, one that
 * cannot return EINTR must not.
 */
static bool is_interruptible(const greg_t *regs)
{
    switch (regs[REG_RAX]) {
    case __NR_read:
    case __NR_readv:
    case __NR_write:
    case __NR_writev:
    case __NR_ioctl:
    case __NR_open:
    case __NR_openat:
    case __NR_wait4:
    case __NR_waitid:
    case __NR_accept:
    case __NR_accept4:
    case __NR_connect:
    case __NR_sendto:
    case __NR_sendmsg:
    case __NR_sendmmsg:
    case __NR_recvfrom:
    case __NR_recvmsg:
    case __NR_recvmmsg:
    case __NR_sendfile:
    case __NR_splice:
    case __NR_tee:
    case __NR_flock:
    case __NR_fcntl:
    case __NR_mq_timedsend:
    case __NR_mq_timedreceive:
    case __NR_getrandom:
        return true;
    case __NR_futex: {
        long operation = regs[REG_RSI] & FUTEX_CMD_MASK;
        return operation == FUTEX_WAIT || operation == FUTEX_WAIT_BITSET;
    }
    default:
        return false;
    }
}

/* SYSCALL left its return address in rcx and the flags in r11. */
static bool is_at_system_call(const greg_t *regs)
{
    return regs[REG_RCX] == regs[REG_RIP] + SYSCALL_BYTES &&
           regs[REG_R11] == regs[REG_EFL];
}

SIGNAL_SAFE void prof_call_interrupt(void *ucontext)
{
    greg_t *regs = ((ucontext_t *)ucontext)->uc_mcontext.gregs;
    if (!is_at_system_call(regs) || !is_interruptible(regs))
        return;
    regs[REG_RIP] += SYSCALL_BYTES;
    regs[REG_RAX] = -EINTR;
}

/*
 * Whether the next signal to be delivered interrupts calls. Ours pass through
 * the handler once more; those without a handler run nothing or end it all.
 */
static bool is_interrupting(uint64_t pending)
{
    for (int signal = 1; signal <= SIGNALS && pending != 0; signal++) {
        uint64_t bit = UINT64_C(1) << (signal - 1);
        struct prof_kernel_sigaction action = {.handler = NULL};
        if ((pending & bit) == 0)
            continue;
        pending &= ~bit;
        if (prof_signal_is_ours(signal) ||
            sys_call4(
                __NR_rt_sigaction, (long)signal, (void *)NULL, &action,
                sizeof action.mask) != 0 ||
            action.handler == SIG_DFL || action.handler == SIG_IGN)
            continue;
        return (action.flags & SA_RESTART) == 0;
    }
    return false;
}

EVERY_SAMPLE void prof_call_interrupt_for_waiting(void *ucontext)
{
    const ucontext_t *context = ucontext;
    if (!is_at_system_call(context->uc_mcontext.gregs) || prof_core_is_silent())
        return;

    /* All signals are blocked here, so that it tells of all that wait. */
    uint64_t pending = 0;
    if (sys_call2(__NR_rt_sigpending, &pending, sizeof pending) != 0)
        return;
    pending &= ~*(const uint64_t *)(const void *)&context->uc_sigmask;
    if (is_interrupting(pending))
        prof_call_interrupt(ucontext);
}
