/*
 * What is done with a signal of ours that is not a sample.
 *
 * One that the program thinks it has blocked is held back here, not in the
 * kernel: there, samples would wait beside it, and come out where the program
 * looks for its own. It is sent again when the program unblocks it, and handed
 * out to one that asks for it.
 */
#include "profiler/agent/sig_pass.h"

#include "profiler/agent/kernel_sigaction.h"
#include "profiler/agent/sig_core.h"
#include "profiler/agent/sig_crash.h"
#include "profiler/agent/sig_deliver.h"
#include "profiler/agent/sig_expiry.h"
#include "profiler/agent/sig_redirect.h"
#include "profiler/agent/signals.h"
#include "profiler/agent/sys.h"
#include "profiler/agent/withdraw.h"

#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <time.h>
#include <ucontext.h>

enum { SIGNAL_DEFAULT = 0, SIGNAL_IGNORE = 1 };

/* Ignored by default: what a guest's ticks are (guest_signal.h). */
static bool is_harmless(int signal)
{
    return signal == SIGURG || signal == SIGWINCH;
}

/*
 * What the thread has done itself, such as a breakpoint or a fault: neither
 * waits nor is ignored.
 */
static bool is_forced(int signal, const siginfo_t *info)
{
    return info->si_code > 0 && signal != SIGPROF && !is_harmless(signal);
}

static uint64_t *mask_of(ucontext_t *context)
{
    return (uint64_t *)(void *)&context->uc_sigmask;
}

/*
 * These signals kill by default: let it, when this handler returns, as what it
 * was. For PID 1 of a name space only those do that are forced, by the kernel
 * itself; and where a filter may stand in the way, no call is made. Then what
 * has caused the signal happens once more, and finds it blocked: fatal as well
 * (force_sig_info_to_task() in kernel/signal.c).
 */
static void die(int signal, const siginfo_t *info, ucontext_t *context)
{
    bool forced = is_forced(signal, info);
    uint64_t bit = UINT64_C(1) << (signal - 1);
    if (is_harmless(signal) || (prof_core.pid == 1 && !forced))
        return;
    if (forced && (prof_core.pid == 1 || prof_crash_is_silent()) &&
        prof_crash_rewind(signal, info, context)) {
        *mask_of(context) |= bit;
        return;
    }
    struct prof_kernel_sigaction deadly = {.handler = NULL};
    long pid = sys_getpid(), tid = sys_gettid();
    (void)sys_call4(
        __NR_rt_sigaction, (long)signal, &deadly, (void *)NULL,
        sizeof deadly.mask);
    *mask_of(context) &= ~bit;
    if (sys_call4(__NR_rt_tgsigqueueinfo, pid, tid, (long)signal, info) != 0)
        (void)sys_call3(__NR_tgkill, pid, tid, (long)signal);
}

/* ---- signals held back ---- */

enum held_state { HELD_NONE, HELD_BUSY, HELD_FULL };

/* Of a standard signal one is pending; a second one makes no difference. */
struct held {
    _Atomic uint32_t state;
    int tid; /* whom it was sent to; 0: the process */
    siginfo_t info;
};

static struct held held_signals[2];
static _Atomic unsigned read_signals; /* by signalfd(2): bits 1 << signal */
static _Atomic int waiters[2];        /* a thread in sigwait(3); 0: none */

static int held_index(int signal)
{
    return signal != SIGTRAP;
}

static void copy_info(siginfo_t *to, const siginfo_t *from)
{
    for (size_t i = 0; i < sizeof *to / sizeof(uint64_t); i++)
        ((uint64_t *)(void *)to)[i] = ((const uint64_t *)(const void *)from)[i];
}

SIGNAL_SAFE void prof_signal_hold(int signal, const siginfo_t *info)
{
    struct held *held = &held_signals[held_index(signal)];
    uint32_t state = HELD_NONE;
    /* Pairs with the release in prof_signal_take_held(). */
    if (!atomic_compare_exchange_strong_explicit(
            &held->state, &state, HELD_BUSY, memory_order_acquire,
            memory_order_relaxed))
        return;
    held->tid = info->si_code == SI_TKILL ? sys_gettid() : 0;
    copy_info(&held->info, info);
    /* Pairs with the acquire in prof_signal_take_held(). */
    atomic_store_explicit(&held->state, HELD_FULL, memory_order_seq_cst);

    int waiter = atomic_load_explicit(
        &waiters[held_index(signal)], memory_order_seq_cst);
    if (waiter != 0 && held->tid == 0)
        (void)sys_call3(
            __NR_tgkill, (long)sys_getpid(), (long)waiter, (long)signal);
}

bool prof_signal_is_held(int signal)
{
    struct held *held = &held_signals[held_index(signal)];
    return atomic_load_explicit(&held->state, memory_order_seq_cst) ==
               HELD_FULL &&
           (held->tid == 0 || held->tid == sys_gettid());
}

bool prof_signal_take_held(int signal, siginfo_t *info)
{
    struct held *held = &held_signals[held_index(signal)];
    uint32_t state = HELD_FULL;
    /* Pairs with the store in prof_signal_hold(). */
    if (!prof_signal_is_held(signal) ||
        !atomic_compare_exchange_strong_explicit(
            &held->state, &state, HELD_BUSY, memory_order_acquire,
            memory_order_relaxed))
        return false;
    copy_info(info, &held->info);
    /* Pairs with the acquire in prof_signal_hold(). */
    atomic_store_explicit(&held->state, HELD_NONE, memory_order_release);
    return true;
}

void prof_signal_send_held(int signal)
{
    siginfo_t info;
    if (prof_signal_take_held(signal, &info))
        (void)sys_call4(
            __NR_rt_tgsigqueueinfo, (long)sys_getpid(), (long)sys_gettid(),
            (long)signal, &info);
}

void prof_signal_forget_held(void)
{
    for (int i = 0; i < 2; i++) {
        atomic_store_explicit(
            &held_signals[i].state, HELD_NONE, memory_order_relaxed);
        atomic_store_explicit(&waiters[i], 0, memory_order_relaxed);
    }
}

void prof_signal_note_read(unsigned signals)
{
    (void)atomic_fetch_or_explicit(
        &read_signals, signals, memory_order_relaxed);
}

/* Send a signal again, as what it was. */
static void send_again(int signal, const siginfo_t *info)
{
    long pid = sys_getpid();
    /*
     * What was sent to the whole process, any thread may read; the kernel lets
     * only the first thread send that in another's name, elsewhere the sender
     * is lost.
     */
    if (info->si_code == SI_TKILL)
        (void)sys_call4(
            __NR_rt_tgsigqueueinfo, pid, (long)sys_gettid(), (long)signal,
            info);
    else if (sys_call3(__NR_rt_sigqueueinfo, pid, (long)signal, info) != 0)
        (void)sys_call2(__NR_kill, pid, (long)signal);
}

/*
 * Take the samples out of the queue that came while the handler had them
 * blocked. With them come signals of the program's, one for the thread and one
 * for the process at most, which go back.
 */
static void drop_waiting_samples(int signal)
{
    enum { QUEUES = 2 };
    const struct timespec now = {0};
    uint64_t set = UINT64_C(1) << (signal - 1);
    siginfo_t info, others[QUEUES];
    int count = 0;
    while (count < QUEUES &&
           sys_call4(__NR_rt_sigtimedwait, &set, &info, &now, sizeof set) ==
               signal) {
        if (prof_signal_take(signal, &info) == 0)
            copy_info(&others[count++], &info);
    }
    for (int i = 0; i < count; i++)
        send_again(signal, &others[i]);
}

/*
 * A signal that is read from a descriptor must wait in the kernel, and no
 * sample beside it: sampling ends, and what it left behind goes.
 */
static void leave_to_reader(
    int signal, const siginfo_t *info, ucontext_t *context)
{
    prof_core_withdraw("it reads SIGTRAP or SIGPROF by signalfd()");
    *mask_of(context) |= UINT64_C(1) << (signal - 1);
    drop_waiting_samples(signal);
    send_again(signal, info);
}

/*
 * Sent by somebody, under the name of a fault, to a thread that believes it
 * blocked: it waits in the kernel, which from now on has it blocked as well.
 */
static void leave_blocked(
    int signal, const siginfo_t *info, ucontext_t *context)
{
    *mask_of(context) |= UINT64_C(1) << (signal - 1);
    send_again(signal, info);
}

static bool is_read(int signal)
{
    return (atomic_load_explicit(&read_signals, memory_order_relaxed) &
            1u << signal) != 0;
}

void prof_signal_await(int signal, int tid)
{
    atomic_store_explicit(
        &waiters[held_index(signal)], tid, memory_order_seq_cst);
}

/* ---- passing on ---- */

static bool is_blocked(int signal)
{
    return prof_core.config.mask_beliefs != NULL &&
           (prof_core.config.mask_beliefs() & 1u << signal) != 0;
}

/* The end, by the default action. */
static void end(int signal, const siginfo_t *info, ucontext_t *context)
{
    if (prof_crash_is_wanted(signal))
        prof_crash_note_fatal(signal, info, context);
    die(signal, info, context);
}

/* The program's own handler. */
static void start_handler(
    int signal, siginfo_t *info, ucontext_t *context,
    struct prof_kernel_sigaction *action)
{
    bool is_crash = prof_crash_is_wanted(signal);
    struct prof_alternate alternate = {.size_bytes = 0};
    if (prof_core.config.alternate != NULL)
        alternate = prof_core.config.alternate();
    bool is_moved =
        ((action->flags & SA_ONSTACK) && alternate.size_bytes > 0) ||
        prof_signal_stays_on_ours(context, action);
    if (is_crash && !is_moved && !prof_crash_has_room(signal, info, context)) {
        end(signal, info, context);
        return;
    }
    if (action->flags & SA_RESETHAND) {
        struct prof_kernel_sigaction reset = *action;
        reset.handler = NULL;
        prof_signal_exchange(signal, &reset, NULL);
    }
    if (prof_signal_is_sampling(signal))
        prof_redirect_note(prof_core_tid(), context);
    const char *before = (const char *)context;
    if (is_crash)
        prof_crash_note_handled(signal, info, context);
    prof_signal_deliver(signal, info, context, action);
    uint64_t frame = (uint64_t)context->uc_mcontext.gregs[REG_RSP];
    if (is_crash) {
        const char *after = (const char *)prof_crash_frame_context(frame);
        bool is_there = frame - alternate.start < alternate.size_bytes;
        prof_crash_note_started(
            signal, frame, (void *)((char *)info + (after - before)),
            is_there ? alternate.start : 0);
    }
}

SIGNAL_SAFE void prof_signal_pass_on(int signal, void *info, void *ucontext)
{
    bool forced = is_forced(signal, info);
    struct prof_kernel_sigaction action;
    prof_signal_exchange(signal, NULL, &action);
    uintptr_t handler = (uintptr_t)action.handler;

    if (is_blocked(signal) && !forced) {
        if (!prof_signal_is_sampling(signal))
            leave_blocked(signal, info, ucontext);
        else if (is_read(signal))
            leave_to_reader(signal, info, ucontext);
        else
            prof_signal_hold(signal, info);
    } else if (handler == SIGNAL_IGNORE && !forced) {
        return;
    } else if (
        handler == SIGNAL_DEFAULT || handler == SIGNAL_IGNORE ||
        is_blocked(signal)) {
        end(signal, info, ucontext);
    } else {
        start_handler(signal, info, ucontext, &action);
    }
}
