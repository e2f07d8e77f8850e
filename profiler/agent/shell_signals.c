/*
 * Interposed: sigaction. The program may set and ask for SIGTRAP's and
 * SIGPROF's dispositions as ever; ours stay in the kernel, and the handler
 * passes on what is not a sample.
 */
#include "profiler/agent/shell.h"

#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "profiler/agent/core.h"
#include "profiler/agent/kernel_sigaction.h"
#include "profiler/agent/shell_alternate.h"
#include "profiler/agent/shell_between.h"
#include "profiler/agent/sig_deliver.h"
#include "profiler/agent/signals.h"

void shell_to_kernel(
    struct prof_kernel_sigaction *to, const struct sigaction *from)
{
    to->handler = from->sa_handler;
    /* What libc adds, the program can read back. */
    to->flags = (uint64_t)(uint32_t)from->sa_flags | PROF_SA_RESTORER;
    to->restorer = prof_restore_rt;
    memcpy(&to->mask, &from->sa_mask, sizeof to->mask);
}

static void from_kernel(
    struct sigaction *to, const struct prof_kernel_sigaction *from)
{
    memset(to, 0, sizeof *to);
    to->sa_handler = from->handler;
    to->sa_flags = (int)from->flags;
    to->sa_restorer = from->restorer;
    memcpy(&to->sa_mask, &from->mask, sizeof from->mask);
}

/*
 * A vfork child has dispositions of its own in the kernel, but what is
 * believed is its parent's memory: it may be read, not written.
 */
static bool is_borrowed(void)
{
    return (uint32_t)getpid() != prof_core.pid;
}

static _Thread_local struct {
    pid_t pid;
    unsigned set; /* bits 1 << signal */
} guest __attribute__((tls_model("initial-exec")));

static void note_guest(int number)
{
    pid_t pid = getpid();
    if (guest.pid != pid)
        guest.set = 0;
    guest.pid = pid;
    guest.set |= 1u << number;
}

unsigned shell_signals_of_guest(void)
{
    return guest.pid == getpid() ? guest.set : 0;
}

int shell_signals_act(
    shell_action_function *next, int number, const struct sigaction *wanted,
    struct sigaction *old)
{
    if (!prof_signal_is_ours(number))
        return shell_alternate_action(next, number, wanted, old);

    struct prof_kernel_sigaction new_action, old_action;
    bool is_kept = wanted != NULL && !is_borrowed();
    if (is_kept)
        shell_to_kernel(&new_action, wanted);
    prof_signal_exchange(number, is_kept ? &new_action : NULL, &old_action);
    if (wanted != NULL && !is_kept) {
        note_guest(number);
        (void)next(number, wanted, NULL);
    }
    if (old != NULL)
        from_kernel(old, &old_action);
    return 0;
}

INTERPOSE int sigaction(
    int number, const struct sigaction *wanted, struct sigaction *old)
{
    shell_action_function *next = shell_real()->sigaction;
    if (wanted != NULL && (wanted->sa_flags & SA_ONSTACK) != 0 &&
        wanted->sa_handler != SIG_DFL && wanted->sa_handler != SIG_IGN)
        prof_signals_note_alternate();
    return shell_between_is() ? next(number, wanted, old)
                              : shell_signals_act(next, number, wanted, old);
}

INTERPOSE int __sigaction(
    int number, const struct sigaction *wanted, struct sigaction *old)
{
    return sigaction(number, wanted, old);
}
