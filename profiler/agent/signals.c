/*
 * The signals the agent uses, SIGTRAP of perf events and that of timers, and
 * where crashes are wanted those that end a program; and what the program
 * believes of them: its own dispositions are kept here and never reach the
 * kernel. Where only timers are used, SIGTRAP is left alone.
 */
#include "profiler/agent/signals.h"

#include "profiler/agent/kernel_sigaction.h"
#include "profiler/agent/sig_core.h"
#include "profiler/agent/sig_crash.h"
#include "profiler/agent/sig_restorer.h"
#include "profiler/agent/sys.h"

#include <signal.h>

/*
 * The program's dispositions. A reader in the handler may meet a writer in
 * another thread; the handler's address is one word, and the rest is only
 * reported back to the program, which must not race with itself.
 */
enum { SAMPLING = 2, SIGNAL_COUNT = SAMPLING + PROF_CRASH_SIGNAL_COUNT };

static struct prof_kernel_sigaction believed[SIGNAL_COUNT];
static bool is_installed, is_catching, is_alternate_used;
static prof_signal_handler *handle;

/* SIGTRAP comes first. */
static int our_signal(int index)
{
    static const int crashes[] = PROF_CRASH_SIGNALS;
    if (index >= SAMPLING)
        return crashes[index - SAMPLING];
    return index == 0 ? SIGTRAP : prof_core.config.tick_signal;
}

static int first_index(void)
{
    return prof_core.config.tick_signal == SIGPROF ? 0 : 1;
}

/* One more than the last of those installed. */
static int end_index(void)
{
    return !is_installed ? 0 : is_catching ? SIGNAL_COUNT : SAMPLING;
}

static int signal_index(int signal)
{
    for (int i = first_index(); i < SIGNAL_COUNT; i++) {
        if (our_signal(i) == signal)
            return i;
    }
    return -1;
}

bool prof_signal_is_ours(int signal)
{
    int index = signal_index(signal);
    return index >= 0 && index < end_index();
}

bool prof_signal_is_sampling(int signal)
{
    return is_installed && signal_index(signal) >= 0 &&
           signal_index(signal) < SAMPLING;
}

/* Put `action` into force for our signal `index`; the old one goes to `old`. */
static void act(
    int index, const struct prof_kernel_sigaction *action,
    struct prof_kernel_sigaction *old)
{
    (void)sys_call4(
        __NR_rt_sigaction, (long)our_signal(index), action, old,
        sizeof action->mask);
}

/*
 * All signals stay blocked in the handler: nothing nests, and nobody jumps out
 * of it. SA_ONSTACK, because a runtime with small stacks gives its threads an
 * alternate one.
 *
 * Where crashes are caught every thread has one, of ours, and a sample there
 * would make a page or two of it resident: 8 MiB for 1 000 threads. So samples
 * stay on the stack they find, where they stand without crashes as well, until
 * the program shows that it knows of alternate stacks. Whoever has none of its
 * own runs nothing that needs them.
 */
static struct prof_kernel_sigaction our_action(int index)
{
    bool is_moved = index >= SAMPLING || !is_catching || is_alternate_used;
    return (struct prof_kernel_sigaction){
        .handler = (void (*)(int))(uintptr_t)handle,
        .flags = SA_SIGINFO | SA_RESTART | PROF_SA_RESTORER |
                 (is_moved ? SA_ONSTACK : 0),
        .restorer = prof_restore_rt,
        .mask = ~UINT64_C(0)};
}

void prof_signals_install(prof_signal_handler *handler)
{
    handle = handler;
    for (int i = first_index(); !is_installed && i < SAMPLING; i++) {
        struct prof_kernel_sigaction ours = our_action(i);
        act(i, &ours, &believed[i]);
    }
    is_installed = true;
}

/* Else the program has one of its own by now, where no call of it is seen. */
static bool is_in_force(int index)
{
    struct prof_kernel_sigaction now = {.handler = NULL};
    act(index, NULL, &now);
    return now.handler == our_action(index).handler;
}

/* Put those of samples into force once more. */
static void act_for_samples(void)
{
    for (int i = first_index(); i < SAMPLING; i++) {
        struct prof_kernel_sigaction ours = our_action(i);
        if (is_in_force(i))
            act(i, &ours, NULL);
    }
}

void prof_signals_catch_crashes(void)
{
    if (is_catching)
        return;
    for (int i = SAMPLING; i < SIGNAL_COUNT; i++) {
        struct prof_kernel_sigaction ours = our_action(i);
        act(i, &ours, &believed[i]);
    }
    is_catching = true;
    act_for_samples();
}

void prof_signals_note_alternate(void)
{
    if (is_alternate_used)
        return;
    is_alternate_used = true;
    if (is_catching && prof_core_is_ours())
        act_for_samples();
}

void prof_signals_uninstall(void)
{
    for (int i = first_index(); i < end_index(); i++) {
        if (is_in_force(i))
            act(i, &believed[i], NULL);
    }
    is_installed = is_catching = false;
}

static bool is_ignored(int index, unsigned but)
{
    return believed[index].handler == SIG_IGN &&
           !(but & 1u << our_signal(index));
}

void prof_signals_reveal(unsigned but)
{
    struct prof_kernel_sigaction ignore = {.handler = SIG_IGN};
    for (int i = first_index(); i < end_index(); i++) {
        if (is_ignored(i, but))
            act(i, &ignore, NULL);
    }
}

void prof_signals_hide(unsigned but)
{
    for (int i = first_index(); i < end_index(); i++) {
        struct prof_kernel_sigaction ours = our_action(i);
        if (is_ignored(i, but))
            act(i, &ours, NULL);
    }
}

const struct prof_kernel_sigaction *prof_signal_believed(int signal)
{
    return &believed[signal_index(signal)];
}

void prof_signal_exchange(
    int signal, const struct prof_kernel_sigaction *wanted,
    struct prof_kernel_sigaction *old)
{
    int index = signal_index(signal);
    if (old != NULL)
        *old = believed[index];
    if (wanted != NULL)
        believed[index] = *wanted;
}
