/*
 * The signals the agent uses, SIGTRAP of perf events and that of timers, and
 * where crashes are wanted those that end a program; and what the program
 * believes of them: its own dispositions are kept here and never reach the
 * kernel. Where only timers are used, SIGTRAP is left alone.
 */
#include "profiler/agent/signals.h"

#include "profiler/agent/core.h"
#include "profiler/agent/kernel_sigaction.h"
#include "profiler/agent/sig_crash.h"
#include "profiler/agent/sig_deliver.h"
#include "profiler/agent/sig_handler.h"
#include "profiler/agent/sys.h"

#include <signal.h>

/*
 * The program's dispositions. A reader in the handler may meet a writer in
 * another thread; the handler's address is one word, and the rest is only
 * reported back to the program, which must not race with itself.
 */
enum { SAMPLING = 2, SIGNAL_COUNT = SAMPLING + PROF_CRASH_SIGNAL_COUNT };

static struct prof_kernel_sigaction believed[SIGNAL_COUNT];
static bool is_installed, is_catching;

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
 */
static struct prof_kernel_sigaction our_action(void)
{
    return (struct prof_kernel_sigaction){
        .handler = (void (*)(int))(uintptr_t)prof_handle_signal,
        .flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK | PROF_SA_RESTORER,
        .restorer = prof_restore_rt,
        .mask = ~UINT64_C(0)};
}

void prof_signals_install(void)
{
    struct prof_kernel_sigaction ours = our_action();
    for (int i = first_index(); !is_installed && i < SAMPLING; i++)
        act(i, &ours, &believed[i]);
    is_installed = true;
}

void prof_signals_catch_crashes(void)
{
    struct prof_kernel_sigaction ours = our_action();
    for (int i = SAMPLING; !is_catching && i < SIGNAL_COUNT; i++)
        act(i, &ours, &believed[i]);
    is_catching = true;
}

/* Else the program has one of its own by now, where no call of it is seen. */
static bool is_in_force(int index)
{
    struct prof_kernel_sigaction now = {.handler = NULL};
    act(index, NULL, &now);
    return now.handler == our_action().handler;
}

void prof_signals_uninstall(void)
{
    for (int i = first_index(); i < end_index(); i++) {
        if (is_in_force(i))
            act(i, &believed[i], NULL);
    }
    is_installed = is_catching = false;
}

static void act_where_ignored(
    const struct prof_kernel_sigaction *action, unsigned but)
{
    for (int i = first_index(); i < end_index(); i++) {
        if (believed[i].handler == SIG_IGN && !(but & 1u << our_signal(i)))
            act(i, action, NULL);
    }
}

void prof_signals_reveal(unsigned but)
{
    struct prof_kernel_sigaction ignore = {.handler = SIG_IGN};
    act_where_ignored(&ignore, but);
}

void prof_signals_hide(unsigned but)
{
    struct prof_kernel_sigaction ours = our_action();
    act_where_ignored(&ours, but);
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
