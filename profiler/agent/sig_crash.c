/* Crashes, as they are written down in the handler; see the header. */
#include "profiler/agent/sig_crash.h"

#include "profiler/agent/link.h"
#include "profiler/agent/sig_core.h"
#include "profiler/agent/sig_presence.h"
#include "profiler/agent/sys.h"

#include <linux/prctl.h>
#include <time.h>

#define HANDLED_EVERY_NS UINT64_C(100000000)
#define HANDLER_BYTES    (UINT64_C(8) << 20) /* of stack, at most */
#define NEAR_BYTES       (UINT64_C(1) << 20)

enum { WAIT_MS = WIRE_CRASH_WAIT_NS / 1000000, PAUSE_NS = 1000000 };

SIGNAL_SAFE bool prof_crash_is_silent(void)
{
    return prof_core.is_crash_silent || prof_core_is_silent();
}

static void pause_briefly(void)
{
    const struct timespec pause = {.tv_nsec = PAUSE_NS};
    if (prof_crash_is_silent())
        __builtin_ia32_pause();
    else
        (void)sys_call2(__NR_nanosleep, &pause, (void *)NULL);
}

/* A call that no filter is known to kill for; or the process of the ring. */
static uint32_t own_pid(void)
{
    return prof_crash_is_silent() ? prof_core.pid : (uint32_t)sys_getpid();
}

/* In a child of vfork, what libc has noted is its parent's. */
static uint32_t own_tid(void)
{
    return prof_crash_is_silent() ? prof_core_tid() : (uint32_t)sys_gettid();
}

SIGNAL_SAFE bool prof_crash_is_wanted(int signal)
{
    static const int signals[] = PROF_CRASH_SIGNALS;
    if ((prof_core.actions & WIRE_CATCH_CRASHES) == 0 ||
        prof_core.ring.crashes == NULL)
        return false;
    bool is_one = signal == SIGTRAP;
    for (int i = 0; i < PROF_CRASH_SIGNAL_COUNT; i++)
        is_one |= signals[i] == signal;
    return is_one;
}

/* ---- writing ---- */

static bool take_slot(struct wire_crash *crash)
{
    uint32_t state = WIRE_CRASH_FREE;
    /* Pairs with the releases of those who leave it free. */
    return atomic_compare_exchange_strong_explicit(
        &crash->state, &state, WIRE_CRASH_WRITING, memory_order_acquire,
        memory_order_relaxed);
}

static void leave_slot(struct wire_crash *crash, enum wire_crash_state state)
{
    /* Pairs with the acquires in take_slot() and in the collector. */
    atomic_store_explicit(&crash->state, state, memory_order_release);
}

/*
 * The stack pointer may be anything, and what it points to is asked for first;
 * where that is not possible, the stack is left to the collector.
 */
static void write_stack(
    struct wire_crash *crash, int signal, const ucontext_t *context)
{
    const struct prof_engine *engine = prof_core.config.engine;
    uint64_t top;
    ucontext_t call;
    struct prof_walk walk = {
        .frames = crash->frames, .capacity = WIRE_FRAMES_MAX};
    crash->frames[0] =
        (uint64_t)context->uc_mcontext.gregs[REG_RIP] | PROF_FRAME_EXACT;
    crash->frame_count = 1;
    crash->is_complete = 0;
    if (engine == NULL || prof_crash_is_silent() ||
        !prof_crash_peek(
            &top, (uint64_t)context->uc_mcontext.gregs[REG_RSP], sizeof top))
        return;
    if (prof_crash_is_jump(signal, context, &call)) {
        walk.frames++;
        walk.capacity--;
        engine->walk(engine, &call, &walk);
        walk.count++;
    } else {
        engine->walk(engine, context, &walk);
    }
    crash->frame_count = walk.count;
    crash->is_complete = walk.end == PROF_WALK_COMPLETE;
}

static void write_crash(
    struct wire_crash *crash, int signal, const siginfo_t *info,
    const ucontext_t *context)
{
    crash->pid = own_pid();
    crash->tid = own_tid();
    crash->signal = signal;
    crash->code = info->si_code;
    crash->error = info->si_errno;
    crash->time_ns = prof_core_now_ns();
    crash->thread_pointer = (uint64_t)(uintptr_t)__builtin_thread_pointer();
    bool is_fault = info->si_code > 0;
    crash->address = is_fault ? (uint64_t)(uintptr_t)info->si_addr : 0;
    crash->sender = is_fault ? 0 : (uint32_t)info->si_pid;
    crash->reason =
        is_fault && signal == SIGSYS ? (uint32_t)info->si_syscall : 0;
    prof_crash_registers(crash, context);
    write_stack(crash, signal, context);
}

/* ---- handlers of the program's ---- */

/*
 * The latest of each thread, by its id. Two threads with the same place forget
 * each other's: then only the status tells of the end of the first.
 */
enum { HANDLING = 64 };

static struct handling {
    uint32_t tid;
    int signal;
    uint64_t frame, low;
    const siginfo_t *info;
    greg_t pc, sp; /* what was interrupted */
} handling[HANDLING];

static struct handling *handling_of(uint32_t tid)
{
    return &handling[tid % HANDLING];
}

/*
 * Whether the code that stands at `sp` was called by the handler: its frame is
 * above, and nobody has overwritten it.
 */
static bool is_within(const struct handling *entry, uint64_t sp)
{
    if (entry->frame == 0 || entry->tid != own_tid() || sp >= entry->frame ||
        sp < entry->low)
        return false;
    const greg_t *regs =
        prof_crash_frame_context(entry->frame)->uc_mcontext.gregs;
    return regs[REG_RIP] == entry->pc && regs[REG_RSP] == entry->sp;
}

SIGNAL_SAFE void prof_crash_note_handled(
    int signal, const siginfo_t *info, const ucontext_t *context)
{
    static _Atomic uint64_t next_ns;
    struct wire_crashes *crashes = prof_core.ring.crashes;
    atomic_fetch_add_explicit(&crashes->handled_count, 1, memory_order_relaxed);

    uint64_t now_ns = prof_core_now_ns();
    if (now_ns < atomic_load_explicit(&next_ns, memory_order_relaxed) ||
        !take_slot(&crashes->handled))
        return;
    atomic_store_explicit(
        &next_ns, now_ns + HANDLED_EVERY_NS, memory_order_relaxed);
    write_crash(&crashes->handled, signal, info, context);
    leave_slot(&crashes->handled, WIRE_CRASH_FREE);
}

SIGNAL_SAFE void prof_crash_note_started(
    int signal, uint64_t frame, const siginfo_t *info, uint64_t low)
{
    const greg_t *regs = prof_crash_frame_context(frame)->uc_mcontext.gregs;
    uint32_t tid = own_tid();
    *handling_of(tid) = (struct handling){
        .tid = tid,
        .signal = signal,
        .frame = frame,
        .low = low != 0                ? low
               : frame > HANDLER_BYTES ? frame - HANDLER_BYTES
                                       : 1,
        .info = info,
        .pc = regs[REG_RIP],
        .sp = regs[REG_RSP]};
}

SIGNAL_SAFE bool prof_crash_has_room(
    int signal, const siginfo_t *info, const ucontext_t *context)
{
    enum { FRAME_BYTES = 4096, MASK_BYTES = 8 };
    uint64_t sp = (uint64_t)context->uc_mcontext.gregs[REG_RSP];
    uint64_t address = (uint64_t)(uintptr_t)info->si_addr;
    if (signal != SIGSEGV || info->si_code <= 0 || prof_crash_is_silent() ||
        address - (sp - NEAR_BYTES) > 2 * NEAR_BYTES)
        return true;
    /* The kernel writes the present mask to where the frame would be. */
    return sys_call4(
               __NR_rt_sigprocmask, (long)SIG_BLOCK, (void *)NULL,
               (sp - FRAME_BYTES) & ~UINT64_C(7), (long)MASK_BYTES) == 0;
}

/* ---- fatal ones ---- */

/* The slot of whoever crashed first; false: it was not given up in time. */
static bool take_fatal(struct wire_crash *crash, uint64_t end_ns)
{
    while (!take_slot(crash)) {
        if (prof_core_now_ns() >= end_ns)
            return false;
        pause_briefly();
    }
    return true;
}

static bool is_collector_there(void)
{
    const struct wire_header *header = prof_core.ring.header;
    return !atomic_load_explicit(&header->is_stopped, memory_order_relaxed) &&
           !prof_presence_is_gone(header);
}

static void wait_for_collector(const struct wire_crash *crash, uint64_t end_ns)
{
    struct wire_reply reply;
    if (!is_collector_there())
        return;
    if (!prof_crash_is_silent()) {
        /*
         * Yama lets nobody but an ancestor look. Until we are gone, the
         * collector may; one that has no name here only as anyone. Without
         * Yama the call is none (EINVAL).
         */
        uint32_t tracer = prof_core.collector;
        (void)sys_call2(
            __NR_prctl, (long)PR_SET_PTRACER,
            tracer != 0 ? (long)tracer : (long)PR_SET_PTRACER_ANY);
        if (prof_link_ask(
                prof_core.config.session, WIRE_CRASHED, -1, NULL, WAIT_MS,
                &reply))
            return;
    }
    /* Pairs with the release in the collector: it has seen all. */
    while (atomic_load_explicit(&crash->state, memory_order_acquire) !=
               WIRE_CRASH_DONE &&
           prof_core_now_ns() < end_ns && is_collector_there())
        pause_briefly();
}

static void note_fatal(
    int signal, const siginfo_t *info, const ucontext_t *context)
{
    struct wire_crash *crash = &prof_core.ring.crashes->fatal;
    uint64_t end_ns = prof_core_now_ns() + WIRE_CRASH_WAIT_NS;
    if (!take_fatal(crash, end_ns))
        return;
    write_crash(crash, signal, info, context);
    leave_slot(crash, WIRE_CRASH_WRITTEN);
    wait_for_collector(crash, end_ns);
}

SIGNAL_SAFE void prof_crash_note_fatal(
    int signal, const siginfo_t *info, const ucontext_t *context)
{
    const struct handling *entry = handling_of(own_tid());
    uint64_t sp = (uint64_t)context->uc_mcontext.gregs[REG_RSP];
    /* Its handler passes the signal on: what counts is the first. */
    if (info->si_code <= 0 && entry->signal == signal && is_within(entry, sp))
        note_fatal(signal, entry->info, prof_crash_frame_context(entry->frame));
    else
        note_fatal(signal, info, context);
}

/* Another thread's, which would have been the end by now, and soon is. */
static bool is_another_crashing(void)
{
    const struct wire_crash *crash = &prof_core.ring.crashes->fatal;
    /* Pairs with the release in leave_slot(). */
    uint32_t state = atomic_load_explicit(&crash->state, memory_order_acquire);
    return state != WIRE_CRASH_FREE && crash->pid == (uint32_t)sys_getpid() &&
           crash->tid != (uint32_t)sys_gettid();
}

void prof_crash_note_exit(void)
{
    if (!prof_crash_is_wanted(SIGSEGV) || prof_crash_is_silent())
        return;
    const struct handling *entry = handling_of(own_tid());
    if (is_within(entry, (uint64_t)(uintptr_t)__builtin_frame_address(0))) {
        atomic_store_explicit(
            &prof_core.ring.crashes->is_left_in_handler, 1,
            memory_order_relaxed);
        note_fatal(
            entry->signal, entry->info, prof_crash_frame_context(entry->frame));
        return;
    }
    uint64_t end_ns = prof_core_now_ns() + WIRE_CRASH_WAIT_NS;
    while (is_another_crashing() && prof_core_now_ns() < end_ns)
        pause_briefly();
}
