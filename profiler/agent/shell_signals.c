/* The dispositions that the program believes in. */
#include "profiler/agent/shell_signals.h"

#include <stdint.h>
#include <unistd.h>

#include "profiler/agent/core.h"
#include "profiler/agent/shell_alternate.h"
#include "profiler/agent/signals.h"

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
        shell_action_to_kernel(&new_action, wanted);
    prof_signal_exchange(number, is_kept ? &new_action : NULL, &old_action);
    if (wanted != NULL && !is_kept) {
        note_guest(number);
        (void)next(number, wanted, NULL);
    }
    if (old != NULL)
        shell_action_from_kernel(old, &old_action);
    return 0;
}
