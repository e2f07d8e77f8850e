/*
 * Interposed: sigaction, and signal by all its names. The program may set and
 * ask for SIGTRAP's and SIGPROF's dispositions as ever; ours stay in the
 * kernel, and the handler passes on what is not a sample.
 */
#include "profiler/agent/shell.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

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

/*
 * A vfork child has dispositions of its own in the kernel, but what is
 * believed is its parent's memory: it may be read, not written.
 */
static bool is_borrowed(void)
{
    return (uint32_t)getpid() != prof_core.pid;
}

INTERPOSE int sigaction(
    int number, const struct sigaction *wanted, struct sigaction *old)
{
    if (!prof_signal_is_ours(number))
        return shell_real()->sigaction(number, wanted, old);

    struct prof_kernel_sigaction new_action, old_action;
    bool is_kept = wanted != NULL && !is_borrowed();
    if (is_kept)
        to_kernel(&new_action, wanted);
    prof_signal_exchange(number, is_kept ? &new_action : NULL, &old_action);
    if (wanted != NULL && !is_kept)
        (void)shell_real()->sigaction(number, wanted, NULL);
    if (old != NULL)
        from_kernel(old, &old_action);
    return 0;
}

INTERPOSE int __sigaction(
    int number, const struct sigaction *wanted, struct sigaction *old)
{
    return sigaction(number, wanted, old);
}

typedef void signal_handler(int);

/* signal() in its two traditions: BSD's keeps the handler, System V's not. */
static signal_handler *set_handler(
    int number, signal_handler *handler, int flags)
{
    struct sigaction old, wanted = {.sa_flags = flags};
    wanted.sa_handler = handler;
    (void)sigemptyset(&wanted.sa_mask);
    if (handler == SIG_ERR) {
        errno = EINVAL;
        return SIG_ERR;
    }
    return sigaction(number, &wanted, &old) == 0 ? old.sa_handler : SIG_ERR;
}

INTERPOSE signal_handler *signal(int number, signal_handler *handler)
{
    return prof_signal_is_ours(number)
               ? set_handler(number, handler, SA_RESTART)
               : shell_real()->signal(number, handler);
}

INTERPOSE signal_handler *bsd_signal(int number, signal_handler *handler)
{
    return signal(number, handler);
}

INTERPOSE signal_handler *ssignal(int number, signal_handler *handler)
{
    return signal(number, handler);
}

INTERPOSE signal_handler *__sysv_signal(int number, signal_handler *handler)
{
    const int flags = (int)SA_RESETHAND | SA_NODEFER;
    return prof_signal_is_ours(number)
               ? set_handler(number, handler, flags)
               : shell_real()->__sysv_signal(number, handler);
}

INTERPOSE signal_handler *sysv_signal(int number, signal_handler *handler)
{
    return __sysv_signal(number, handler);
}

INTERPOSE int sigignore(int number)
{
    struct sigaction ignored = {.sa_handler = SIG_IGN};
    (void)sigemptyset(&ignored.sa_mask);
    return sigaction(number, &ignored, NULL);
}
