/*
 * Interposed: sigaction and signal. The program may set and ask for SIGTRAP's
 * and SIGPROF's dispositions as ever; ours stay in the kernel, and the handler
 * passes on what is not a sample.
 */
#include "profiler/agent/shell.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>

#include "profiler/agent/core.h"

static void to_kernel(
    struct prof_kernel_sigaction *to, const struct sigaction *from)
{
    to->handler = from->sa_handler;
    to->flags = (uint64_t)(uint32_t)from->sa_flags;
    to->restorer = NULL;
    memcpy(&to->mask, &from->sa_mask, sizeof to->mask);
}

static void from_kernel(
    struct sigaction *to, const struct prof_kernel_sigaction *from)
{
    memset(to, 0, sizeof *to);
    to->sa_handler = from->handler;
    to->sa_flags = (int)from->flags;
    memcpy(&to->sa_mask, &from->mask, sizeof from->mask);
}

INTERPOSE int sigaction(
    int number, const struct sigaction *wanted, struct sigaction *old)
{
    if (!prof_signal_is_ours(number))
        return shell_real()->sigaction(number, wanted, old);

    struct prof_kernel_sigaction new_action, old_action;
    if (wanted != NULL)
        to_kernel(&new_action, wanted);
    prof_signal_exchange(number, wanted ? &new_action : NULL, &old_action);
    if (old != NULL)
        from_kernel(old, &old_action);
    return 0;
}

typedef void signal_handler(int);

INTERPOSE signal_handler *signal(int number, signal_handler *handler)
{
    if (!prof_signal_is_ours(number))
        return shell_real()->signal(number, handler);
    if (handler == SIG_ERR) {
        errno = EINVAL;
        return SIG_ERR;
    }
    struct prof_kernel_sigaction old,
        wanted = {.handler = handler, .flags = SA_RESTART};
    prof_signal_exchange(number, &wanted, &old);
    return old.handler;
}
