/*
 * The program's handlers that ask for the alternate stack, while the one the
 * kernel knows is ours (shell_alternate.c): they are started from here, on the
 * stack that the program set.
 */
#include "profiler/agent/sig_onstack.h"

#include <signal.h>
#include <stdatomic.h>

#include "profiler/agent/kernel_sigaction.h"
#include "profiler/agent/sig_deliver.h"

enum { SIGNALS = 64 };

/* A reader in the handler may meet a writer: the one in force never changes. */
struct kept {
    struct prof_kernel_sigaction actions[2];
    _Atomic uint32_t current;
};

static struct kept all[SIGNALS + 1];

void prof_onstack_keep(int signal, const struct prof_kernel_sigaction *action)
{
    struct kept *kept = &all[signal];
    uint32_t next =
        1 ^ atomic_load_explicit(&kept->current, memory_order_relaxed);
    kept->actions[next] = *action;
    /* Pairs with the acquire in prof_onstack_kept(): the action. */
    atomic_store_explicit(&kept->current, next, memory_order_release);
}

SIGNAL_SAFE const struct prof_kernel_sigaction *prof_onstack_kept(int signal)
{
    const struct kept *kept = &all[signal];
    /* Pairs with the release in prof_onstack_keep(). */
    uint32_t current =
        atomic_load_explicit(&kept->current, memory_order_acquire);
    return &kept->actions[current];
}

SIGNAL_SAFE void prof_handle_on_stack(int signal, void *info, void *ucontext)
{
    /* The kernel was given the same flag, and has interrupted what it must. */
    struct prof_kernel_sigaction action = *prof_onstack_kept(signal);
    action.flags |= SA_RESTART;
    prof_signal_deliver(signal, info, ucontext, &action);
}
