/*
 * Interposed: pthread_sigmask and sigprocmask. Many programs block every
 * signal in their worker threads; ours must still arrive there, or such
 * threads would not be seen at all. The kernel never gets to block them, and
 * the program is told what it would see without us. The same holds for the
 * signals of faults, where crashes are caught: one that is blocked kills
 * without a handler. What else is sent under their names is blocked again, in
 * earnest, and sent again (sig_pass.c).
 *
 * The belief is thread-local, and read by the handler only for a signal that
 * is not a sample: the library is preloaded, so its place is in the static
 * part (initial-exec), which is always there.
 */
#include "profiler/agent/shell.h"

#include <errno.h>
#include <link.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#include "profiler/agent/core.h"
#include "profiler/agent/sig_expiry.h"
#include "profiler/agent/sig_pass.h"
#include "profiler/agent/signals.h"

static _Thread_local unsigned beliefs
    __attribute__((tls_model("initial-exec")));

/*
 * A vfork child runs in the memory of its parent, which waits: what it changes
 * is kept beside what the parent believes in.
 */
static _Thread_local struct {
    pid_t pid;
    unsigned beliefs;
} guest __attribute__((tls_model("initial-exec")));

/* The code that shell_mask_exempt() named. */
static uintptr_t exempt_start, exempt_end;

/* Those that bring samples come first. */
static const int our_signals[] = {SIGTRAP, SIGPROF, SIGSEGV, SIGBUS,
                                  SIGFPE,  SIGILL,  SIGSYS};
enum { SAMPLING = 2, OUR_SIGNALS = sizeof our_signals / sizeof *our_signals };

static int our_count(void)
{
    return prof_signal_is_ours(SIGSEGV) ? OUR_SIGNALS : SAMPLING;
}

typedef int mask_function(int, const sigset_t *, sigset_t *);

unsigned shell_mask_beliefs(void)
{
    return beliefs;
}

void shell_mask_inherit(unsigned inherited)
{
    beliefs = inherited;
}

static sigset_t our_set(unsigned of)
{
    sigset_t set;
    (void)sigemptyset(&set);
    for (int i = 0; i < OUR_SIGNALS; i++) {
        if (of & 1u << our_signals[i])
            (void)sigaddset(&set, our_signals[i]);
    }
    return set;
}

static unsigned bits_in(const sigset_t *set)
{
    unsigned bits = 0;
    for (int i = 0; i < our_count(); i++) {
        if (sigismember(set, our_signals[i]) == 1)
            bits |= 1u << our_signals[i];
    }
    return bits;
}

unsigned shell_mask_ours_in(const sigset_t *set)
{
    return prof_signal_is_ours(SIGTRAP) ? bits_in(set) & SHELL_BELIEFS : 0;
}

static bool is_own(void)
{
    return (uint32_t)getpid() == prof_core.pid;
}

/* Where the belief of this process's thread is. */
static unsigned *beliefs_here(void)
{
    pid_t pid = getpid();
    if ((uint32_t)pid == prof_core.pid)
        return &beliefs;
    if (guest.pid != pid) {
        guest.pid = pid;
        guest.beliefs = beliefs;
    }
    return &guest.beliefs;
}

static void send_held(unsigned of)
{
    for (int i = 0; i < SAMPLING; i++) {
        if (of & 1u << our_signals[i])
            prof_signal_send_held(our_signals[i]);
    }
}

static void block_really(int how, unsigned of)
{
    sigset_t ours = our_set(of);
    (void)shell_real()->sigprocmask(how, &ours, NULL);
}

/* A sample may wait by now: it must not cut the wait short. */
static void drop_samples(unsigned of)
{
    const struct timespec now = {0};
    sigset_t ours = our_set(of);
    siginfo_t info;
    int number;
    while ((number = shell_real()->sigtimedwait(&ours, &info, &now)) > 0) {
        if (prof_signal_take(number, &info) == 0)
            prof_signal_hold(number, &info);
    }
}

void shell_mask_begin_taking(unsigned of)
{
    block_really(SIG_BLOCK, of);
}

void shell_mask_end_taking(unsigned of)
{
    int saved_errno = errno;
    block_really(SIG_UNBLOCK, of);
    errno = saved_errno;
}

/*
 * What the wait lets in must not come before it begins: the kernel blocks it
 * until then.
 */
unsigned shell_mask_assume(const sigset_t *mask)
{
    unsigned before = beliefs;
    if (mask == NULL || !prof_signal_is_ours(SIGTRAP) || !is_own())
        return before;
    unsigned let_in = before & ~bits_in(mask) & SHELL_BELIEFS;
    if (let_in != 0) {
        block_really(SIG_BLOCK, let_in);
        drop_samples(let_in);
        send_held(let_in);
    }
    beliefs = bits_in(mask);
    return before;
}

void shell_mask_resume(unsigned before)
{
    /* Unchanged but for a wait with a mask: not a write into a parent's. */
    if (beliefs == before)
        return;
    unsigned let_in = before & ~beliefs & SHELL_BELIEFS;
    beliefs = before;
    if (let_in != 0)
        block_really(SIG_UNBLOCK, let_in);
}

static unsigned apply(int how, unsigned before, unsigned named)
{
    switch (how) {
    case SIG_BLOCK:
        return before | named;
    case SIG_UNBLOCK:
        return before & ~named;
    default:
        return named;
    }
}

static int change_mask(
    mask_function *real, uintptr_t caller, int how, const sigset_t *wanted,
    sigset_t *old)
{
    if (!prof_signal_is_ours(SIGTRAP) ||
        (caller >= exempt_start && caller < exempt_end))
        return real(how, wanted, old);

    unsigned *here = beliefs_here();
    unsigned before = *here;
    unsigned after =
        wanted != NULL ? apply(how, before, bits_in(wanted)) : before;
    sigset_t given;
    bool is_kept = wanted != NULL && here == &beliefs;
    if (is_kept) {
        given = *wanted;
        /* An unblocking goes through: the handler may have blocked it. */
        for (int i = 0; how != SIG_UNBLOCK && i < our_count(); i++)
            (void)sigdelset(&given, our_signals[i]);
    }
    /* What is unblocked is so when the call returns: one may wait for it. */
    *here = before & after;
    int result = real(how, is_kept ? &given : wanted, old);
    *here = result == 0 ? after : before;
    if (result != 0)
        return result;
    if (is_kept)
        send_held(before & ~after);
    for (int i = 0; old != NULL && i < OUR_SIGNALS; i++) {
        if (before & 1u << our_signals[i])
            (void)sigaddset(old, our_signals[i]);
    }
    return 0;
}

#define CALLER ((uintptr_t)__builtin_return_address(0))

INTERPOSE int pthread_sigmask(int how, const sigset_t *wanted, sigset_t *old)
{
    return change_mask(shell_real()->pthread_sigmask, CALLER, how, wanted, old);
}

INTERPOSE int sigprocmask(int how, const sigset_t *wanted, sigset_t *old)
{
    return change_mask(shell_real()->sigprocmask, CALLER, how, wanted, old);
}

static int find_object(struct dl_phdr_info *info, size_t size, void *code)
{
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + segment->p_vaddr;
        uintptr_t end = start + segment->p_memsz;
        if (segment->p_type == PT_LOAD && (uintptr_t)code >= start &&
            (uintptr_t)code < end) {
            exempt_start = start;
            exempt_end = end;
            return 1;
        }
    }
    return 0;
}

void shell_mask_exempt(const void *code)
{
    (void)dl_iterate_phdr(find_object, (void *)(uintptr_t)code);
}

/*
 * The program may have been started with our signals blocked, and one may
 * wait: it must find the belief in place.
 */
void shell_mask_begin(void)
{
    sigset_t now;
    if (!prof_signal_is_ours(SIGTRAP) ||
        shell_real()->sigprocmask(SIG_BLOCK, NULL, &now) != 0)
        return;
    beliefs = bits_in(&now);
    if (beliefs != 0)
        block_really(SIG_UNBLOCK, beliefs);
}

void shell_mask_reveal(void)
{
    unsigned here = *beliefs_here();
    if (here == 0)
        return;
    block_really(SIG_BLOCK, here);
    if (is_own())
        send_held(here); /* what is pending stays so in an exec */
}

void shell_mask_hide(void)
{
    int saved_errno = errno;
    unsigned here = *beliefs_here();
    if (here != 0)
        block_really(SIG_UNBLOCK, here);
    errno = saved_errno;
}
