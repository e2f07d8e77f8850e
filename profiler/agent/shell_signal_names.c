/*
 * Interposed: sigaction(), and the older names of it, of sigprocmask() and of
 * sigsuspend(). libc's own would go past ours to the kernel, and what the
 * program believes would no longer be what it was told.
 */
#include "profiler/agent/shell.h"

#include <errno.h>
#include <signal.h>

#include "profiler/agent/shell_alternate.h"
#include "profiler/agent/shell_between.h"
#include "profiler/agent/shell_signals.h"
#include "profiler/agent/signals.h"

typedef void signal_handler(int);

int bsd_sigpause(int mask) __asm__("sigpause"); /* <signal.h> has X/Open's */
int __sigpause(int number_or_mask, int is_number);
int sigblock(int mask);
int sigsetmask(int mask);
int siggetmask(void);

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

/* ---- older names ---- */

/* Of our signals, those that signal() installs without SA_RESTART. */
static unsigned interrupting;

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
    if ((flags & SA_RESTART) != 0) {
        (void)sigaddset(&wanted.sa_mask, number);
        if (interrupting & 1u << number)
            wanted.sa_flags = 0;
    }
    return sigaction(number, &wanted, &old) == 0 ? old.sa_handler : SIG_ERR;
}

INTERPOSE signal_handler *signal(int number, signal_handler *handler)
{
    return prof_signal_is_ours(number)
               ? set_handler(number, handler, SA_RESTART)
               : shell_alternate_believed(
                     number, shell_real()->signal(number, handler));
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
               : shell_alternate_believed(
                     number, shell_real()->__sysv_signal(number, handler));
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

INTERPOSE int siginterrupt(int number, int is_interrupting)
{
    struct sigaction action;
    if (!prof_signal_is_ours(number))
        return shell_real()->siginterrupt(number, is_interrupting);
    (void)sigaction(number, NULL, &action);
    if (is_interrupting) {
        interrupting |= 1u << number;
        action.sa_flags &= ~SA_RESTART;
    } else {
        interrupting &= ~(1u << number);
        action.sa_flags |= SA_RESTART;
    }
    return sigaction(number, &action, NULL);
}

/* ---- masks ---- */

static int change_one(int how, int number, sigset_t *old)
{
    sigset_t set;
    (void)sigemptyset(&set);
    if (sigaddset(&set, number) != 0)
        return -1;
    return sigprocmask(how, &set, old);
}

INTERPOSE int sighold(int number)
{
    return change_one(SIG_BLOCK, number, NULL);
}

INTERPOSE int sigrelse(int number)
{
    return change_one(SIG_UNBLOCK, number, NULL);
}

INTERPOSE signal_handler *sigset(int number, signal_handler *handler)
{
    if (!prof_signal_is_ours(number))
        return shell_alternate_believed(
            number, shell_real()->sigset(number, handler));
    struct sigaction old, wanted = {.sa_flags = 0};
    sigset_t mask;
    bool is_held = handler == SIG_HOLD;
    wanted.sa_handler = handler;
    (void)sigemptyset(&wanted.sa_mask);
    if (handler == SIG_ERR) {
        errno = EINVAL;
        return SIG_ERR;
    }
    (void)sigaction(number, is_held ? NULL : &wanted, &old);
    (void)change_one(is_held ? SIG_BLOCK : SIG_UNBLOCK, number, &mask);
    return sigismember(&mask, number) ? SIG_HOLD : old.sa_handler;
}

/* 4.2BSD's masks are the first 32 signals as an int. */
static sigset_t wide_mask(int mask)
{
    sigset_t set;
    (void)sigemptyset(&set);
    for (int number = 1; number <= 32; number++) {
        if ((unsigned)mask & 1u << (number - 1))
            (void)sigaddset(&set, number);
    }
    return set;
}

static int change_narrow(int how, const sigset_t *set)
{
    sigset_t old;
    unsigned mask = 0;
    if (sigprocmask(how, set, &old) != 0)
        return -1;
    for (int number = 1; number <= 32; number++) {
        if (sigismember(&old, number) == 1)
            mask |= 1u << (number - 1);
    }
    return (int)mask;
}

INTERPOSE int sigblock(int mask)
{
    sigset_t set = wide_mask(mask);
    return change_narrow(SIG_BLOCK, &set);
}

INTERPOSE int sigsetmask(int mask)
{
    sigset_t set = wide_mask(mask);
    return change_narrow(SIG_SETMASK, &set);
}

INTERPOSE int siggetmask(void)
{
    return change_narrow(SIG_BLOCK, NULL);
}

INTERPOSE int bsd_sigpause(int mask)
{
    sigset_t set = wide_mask(mask);
    return sigsuspend(&set);
}

INTERPOSE int sigpause(int number)
{
    sigset_t set;
    if (sigprocmask(SIG_BLOCK, NULL, &set) != 0 || sigdelset(&set, number) != 0)
        return -1;
    return sigsuspend(&set);
}

INTERPOSE int __sigpause(int number_or_mask, int is_number)
{
    return is_number ? sigpause(number_or_mask) : bsd_sigpause(number_or_mask);
}
