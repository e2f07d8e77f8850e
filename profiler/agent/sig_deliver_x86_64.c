/*
 * A signal handler of the program's, started as the kernel would start it.
 *
 * Our handler has all signals blocked, stands on the alternate stack when there
 * is one, and had system calls restarted. Calling the program's from there
 * would give it none of what it asked for, and one that leaves by longjmp()
 * would stay that way. So the frame that the kernel made for us (struct
 * rt_sigframe in arch/x86/include/asm/sigframe.h: return address, ucontext,
 * siginfo, floating point state) is copied to where the program's handler is to
 * run, and what our own return restores is made the start of that handler. Its
 * return then goes through the copy, back to what was interrupted.
 */
#include "profiler/agent/sig_deliver.h"

#include <signal.h>
#include <stddef.h>
#include <ucontext.h>

#include "profiler/agent/kernel_sigaction.h"
#include "profiler/agent/sig_core.h"
#include "profiler/agent/sig_interrupt.h"

enum {
    RED_ZONE_BYTES = 128,  /* System V ABI, 3.2.2 */
    FRAME_ALIGNMENT = 64,  /* of what XRSTOR reads */
    CALLER_BYTES = 512,    /* of stack, for what it does before it returns */
    SOFTWARE_OFFSET = 464, /* of struct _fpx_sw_bytes in the FXSAVE image */
    FXSAVE_BYTES = 512,
    FLAGS_CLEARED = 0x10500, /* resume, direction, trap: handle_signal() */
};

/* All of the kernel's frame: the floating point state is its end. */
static size_t frame_bytes(const char *frame, const ucontext_t *context)
{
    const char *state = (const char *)context->uc_mcontext.fpregs;
    const struct _fpx_sw_bytes *extension =
        (const void *)(state + SOFTWARE_OFFSET);
    size_t bytes = extension->magic1 == FP_XSTATE_MAGIC1
                       ? extension->extended_size
                       : FXSAVE_BYTES;
    return (size_t)(state - frame) + bytes;
}

static bool is_on_alternate(const ucontext_t *context, uint64_t sp)
{
    return (context->uc_stack.ss_flags & SS_DISABLE) == 0 &&
           sp - (uintptr_t)context->uc_stack.ss_sp < context->uc_stack.ss_size;
}

/*
 * Where the kernel would put its frame, had it been told of the program's own
 * alternate stack. One that is too small is the end, as there: get_sigframe().
 */
static uint64_t place_with(
    const struct prof_alternate *alternate, uint64_t interrupted_sp,
    size_t bytes, bool is_wanted)
{
    uint64_t used = interrupted_sp - alternate->start;
    bool is_nested = used > 0 && used <= alternate->size_bytes;
    bool is_entered = is_wanted && !is_nested && alternate->size_bytes > 0;
    uint64_t to = (is_entered ? alternate->start + alternate->size_bytes
                              : interrupted_sp - RED_ZONE_BYTES) -
                  bytes;
    if ((is_nested || is_entered) &&
        to - FRAME_ALIGNMENT - alternate->start >= alternate->size_bytes)
        *(volatile char *)UINTPTR_MAX = 0; /* all is blocked: it kills */
    return to;
}

/*
 * Whether the kernel has ours in place of the program's, and has put the frame
 * there. It did not where samples stay on the stack they find (signals.c).
 */
static bool is_replaced(
    const ucontext_t *context, const char *frame,
    struct prof_alternate *alternate)
{
    if (prof_core.config.alternate == NULL ||
        !is_on_alternate(context, (uint64_t)(uintptr_t)frame))
        return false;
    *alternate = prof_core.config.alternate();
    return alternate->ours != 0 &&
           (uintptr_t)context->uc_stack.ss_sp == alternate->ours;
}

SIGNAL_SAFE bool prof_signal_stays_on_ours(
    const void *ucontext, const struct prof_kernel_sigaction *action)
{
    const ucontext_t *context = ucontext;
    const char *frame = (const char *)ucontext - sizeof(void *);
    uint64_t sp = (uint64_t)context->uc_mcontext.gregs[REG_RSP];
    struct prof_alternate alternate;
    if (!is_replaced(context, frame, &alternate))
        return false;
    return is_on_alternate(context, sp) ||
           ((action->flags & SA_ONSTACK) != 0 && alternate.size_bytes == 0 &&
            (sp < alternate.own_low || sp >= alternate.own_high));
}

static void copy_words(uint64_t *to, const uint64_t *from, size_t bytes)
{
    for (size_t i = 0; i < (bytes + 7) / 8; i++)
        to[i] = from[i];
}

/* What our return restores: the first instruction of the handler. */
static void begin_handler(
    ucontext_t *context, int signal, uint64_t frame, ptrdiff_t shift,
    const void *info, const struct prof_kernel_sigaction *action)
{
    greg_t *regs = context->uc_mcontext.gregs;
    regs[REG_RDI] = signal;
    regs[REG_RSI] = (greg_t)(uintptr_t)info + shift;
    regs[REG_RDX] = (greg_t)(uintptr_t)context + shift;
    regs[REG_RAX] = 0;
    regs[REG_RSP] = (greg_t)frame;
    regs[REG_RIP] = (greg_t)(uintptr_t)action->handler;
    regs[REG_EFL] &= ~(greg_t)FLAGS_CLEARED;
    context->uc_mcontext.fpregs = NULL; /* as new */

    uint64_t *mask = (uint64_t *)(void *)&context->uc_sigmask;
    *mask |= action->mask;
    if ((action->flags & SA_NODEFER) == 0)
        *mask |= UINT64_C(1) << (signal - 1);
}

SIGNAL_SAFE void prof_signal_deliver(
    int signal, void *info, void *ucontext,
    const struct prof_kernel_sigaction *action)
{
    ucontext_t *context = ucontext;
    const char *frame = (char *)ucontext - sizeof(void *);
    size_t bytes = frame_bytes(frame, context);
    uint64_t interrupted_sp = (uint64_t)context->uc_mcontext.gregs[REG_RSP];

    /*
     * Below this function's own frame. Nobody but the caller writes there
     * between its return and the handler's first instruction, as no signal can
     * arrive.
     */
    char *below = __builtin_alloca(bytes + FRAME_ALIGNMENT + CALLER_BYTES);
    uint64_t to = (uint64_t)(uintptr_t)below + FRAME_ALIGNMENT;
    struct prof_alternate alternate;
    if (prof_signal_stays_on_ours(context, action))
        ; /* right here */
    else if (is_replaced(context, frame, &alternate))
        to = place_with(
            &alternate, interrupted_sp, bytes,
            (action->flags & SA_ONSTACK) != 0);
    else if (
        (action->flags & SA_ONSTACK) == 0 &&
        is_on_alternate(context, (uint64_t)(uintptr_t)frame) &&
        !is_on_alternate(context, interrupted_sp))
        to = interrupted_sp - RED_ZONE_BYTES - bytes;
    to -= (to - (uint64_t)(uintptr_t)frame) % FRAME_ALIGNMENT;

    ptrdiff_t shift = (ptrdiff_t)(to - (uint64_t)(uintptr_t)frame);
    copy_words((uint64_t *)to, (const uint64_t *)(const void *)frame, bytes);
    ucontext_t *copy = (void *)((char *)context + shift);
    copy->uc_mcontext.fpregs =
        (void *)((char *)context->uc_mcontext.fpregs + shift);
    /* Where it returns to: the program's own, as ours may be gone by then. */
    if (action->flags & PROF_SA_RESTORER)
        *(uint64_t *)to = (uint64_t)(uintptr_t)action->restorer;
    if ((action->flags & SA_RESTART) == 0)
        prof_call_interrupt(copy);
    begin_handler(context, signal, to, shift, info, action);
}
