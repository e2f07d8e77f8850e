/*
 * Interposed: sigaltstack, and sigaction for handlers that ask for the
 * alternate stack.
 *
 * Samples have to be taken on a thread's alternate stack where it has one: the
 * stack that the thread is on may be one of a runtime's, with no room for a
 * handler. But the alternate one may have none either. It may be in use by a
 * handler of the program's, and then the kernel kills a program whose stack
 * cannot hold a second frame ("overflowed sigaltstack"); it may be as small as
 * the kernel allows; and some programs free theirs without a word, as nothing
 * of their own comes there any more. A profiler without SA_ONSTACK escapes all
 * that and destroys the heap of whoever runs on small stacks (OCaml 5, Go).
 *
 * So the kernel is given a stack of ours, one a thread, and the program's is
 * known only here. Where the kernel would have started a handler of the
 * program's on it, ours is started on our stack, and arranges that its return
 * starts the program's on its own: prof_signal_deliver() lays out there what
 * the kernel would have. A handler that was installed past us, by a raw system
 * call, runs on our stack, which has as much room as the one it was to have.
 *
 * What can be seen of it is uc_stack in the handler's context, and what a raw
 * sigaltstack(2) tells: Go's runtime, with cgo, asks that way, takes ours for
 * one that somebody has set, and dies if a handler is not started on it.
 *
 * Where crashes are caught, every thread has one of ours from its beginning to
 * its end, for the stack it is on may be what has overflowed. It is addresses
 * and no memory until then: signals.c says where samples stand meanwhile.
 */
#include "profiler/agent/shell_alternate.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "profiler/agent/shell.h"
#include "profiler/agent/shell_engine.h"
#include "profiler/agent/sig_crash.h"
#include "profiler/agent/sig_onstack.h"
#include "profiler/agent/signals.h"

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif

enum {
    PAGE_BYTES = 4096,
    FRAME_BYTES = 2048,  /* of the kernel's, where it does not tell */
    SAMPLE_BYTES = 8192, /* what a sample takes, and some */
    CRASH_BYTES = 65536, /* the same of a crash, and handlers past us */
};

static _Thread_local struct {
    stack_t program; /* size 0: none, or the kernel has it */
    void *ours;      /* NULL: the kernel has the program's */
    size_t ours_bytes;
    uint64_t own_low, own_high;
} here __attribute__((tls_model("initial-exec")));

SIGNAL_SAFE struct prof_alternate shell_alternate_here(void)
{
    return (struct prof_alternate){
        .start = (uint64_t)(uintptr_t)here.program.ss_sp,
        .size_bytes = here.program.ss_size,
        .ours = (uint64_t)(uintptr_t)here.ours,
        .own_low = here.own_low,
        .own_high = here.own_high};
}

/* ---- stacks ---- */

/* By the kernel's own rule: sas_ss_flags(). */
static bool is_on(const stack_t *stack)
{
    uintptr_t sp = (uintptr_t)__builtin_frame_address(0);
    uintptr_t start = (uintptr_t)stack->ss_sp;
    return sp > start && sp - start <= stack->ss_size;
}

static void unmap_ours(void)
{
    (void)munmap(here.ours, here.ours_bytes);
    here.ours = NULL;
    here.program = (stack_t){.ss_size = 0};
}

/*
 * Room for a handler that knows nothing of us, as much as it asked for, with a
 * sample's beneath it: its frame, and the copy of it for the program.
 */
static size_t bytes_for(const stack_t *program)
{
    size_t frame = getauxval(AT_MINSIGSTKSZ);
    if (frame < FRAME_BYTES)
        frame = FRAME_BYTES;
    size_t bytes = program->ss_size + 2 * frame + SAMPLE_BYTES;
    return (bytes + PAGE_BYTES - 1) & ~(size_t)(PAGE_BYTES - 1);
}

/* The kernel has just accepted `program`: put ours in its place. */
static void move(const stack_t *program, size_t bytes)
{
    void *memory = mmap(
        NULL, bytes, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED)
        return;
    stack_t ours = {.ss_sp = memory, .ss_size = bytes};
    /* Before a handler looks for it. */
    here.program = *program;
    here.ours = memory;
    here.ours_bytes = bytes;
    if (shell_real()->sigaltstack(&ours, NULL) != 0)
        unmap_ours();
}

static void give_ours(void)
{
    stack_t now;
    const stack_t none = {.ss_size = 0};
    if (here.ours == NULL && prof_crash_is_wanted(SIGSEGV) &&
        !prof_crash_is_silent() && shell_real()->sigaltstack(NULL, &now) == 0 &&
        (now.ss_flags & SS_DISABLE))
        move(&none, CRASH_BYTES);
}

/* The calling function's frame is so far from either end of the stack. */
static void begin(uint64_t above, uint64_t below)
{
    uint64_t sp = (uint64_t)(uintptr_t)__builtin_frame_address(0);
    here.own_low = sp > below ? sp - below : 0;
    here.own_high = sp + above;
    give_ours();
}

void shell_alternate_begin(size_t stack_bytes)
{
    begin(PAGE_BYTES, stack_bytes);
}

void shell_alternate_begin_first(void)
{
    /* With what execve(2) puts there, and where nothing else is mapped. */
    enum { FIRST_BYTES = 8 << 20 };
    struct rlimit limit = {.rlim_cur = FIRST_BYTES};
    (void)getrlimit(RLIMIT_STACK, &limit);
    begin(
        FIRST_BYTES, limit.rlim_cur < UINT32_MAX ? limit.rlim_cur : UINT32_MAX);
}

/* Disabled, or with SS_AUTODISARM, it is left to the kernel. */
static bool is_movable(const stack_t *wanted)
{
    return (wanted->ss_flags == 0 || wanted->ss_flags == SS_ONSTACK) &&
           wanted->ss_size < SIZE_MAX / 2 && here.ours == NULL;
}

/*
 * The kernel knows best: a vfork child, in its parent's memory, has no
 * alternate stack.
 */
static bool is_moved(void)
{
    stack_t now;
    return here.ours != NULL && shell_real()->sigaltstack(NULL, &now) == 0 &&
           now.ss_sp == here.ours;
}

/* sigaltstack(2) where the kernel has ours. */
static int change_moved(const stack_t *wanted, stack_t *old)
{
    stack_t before = here.program;
    before.ss_flags = before.ss_size == 0 ? SS_DISABLE
                      : is_on(&before)    ? SS_ONSTACK
                                          : 0;
    if (wanted != NULL) {
        if (before.ss_flags == SS_ONSTACK) {
            errno = EPERM;
            return -1;
        }
        if (shell_real()->sigaltstack(wanted, NULL) != 0)
            return -1;
        unmap_ours();
    }
    if (old != NULL)
        *old = before;
    return 0;
}

INTERPOSE int sigaltstack(const stack_t *wanted, stack_t *old)
{
    stack_t copy;
    if (wanted != NULL)
        copy = *wanted; /* `old` may be the same */
    if (wanted != NULL && (wanted->ss_flags & SS_DISABLE) == 0)
        prof_signals_note_alternate();
    int result = is_moved() ? change_moved(wanted, old)
                            : shell_real()->sigaltstack(wanted, old);
    if (result != 0 || wanted == NULL || !prof_core_is_ours())
        return result;
    int saved_errno = errno;
    if (is_movable(&copy))
        move(&copy, bytes_for(&copy));
    give_ours();
    bool is_enabled = (copy.ss_flags & SS_DISABLE) == 0;
    shell_engine_set_alternate(
        (uint64_t)(uintptr_t)copy.ss_sp, is_enabled ? copy.ss_size : 0);
    errno = saved_errno;
    return 0;
}

void shell_alternate_drop(void)
{
    /* Where no call may be made, it stays until the process ends. */
    if (prof_crash_is_silent() || !is_moved())
        return;
    stack_t program = here.program;
    program.ss_flags = program.ss_size == 0 ? SS_DISABLE : 0;
    if (shell_real()->sigaltstack(&program, NULL) == 0)
        unmap_ours();
}

/* ---- handlers ---- */

static bool is_generic(const struct sigaction *action)
{
    return action->sa_handler ==
           (__sighandler_t)(uintptr_t)prof_handle_on_stack;
}

/* What the kernel reports has the flags in force, and libc's restorer. */
static void reveal(
    struct sigaction *action, const struct prof_kernel_sigaction *kept)
{
    bool is_plain = (kept->flags & SA_SIGINFO) == 0;
    action->sa_handler = kept->handler;
    if (is_plain)
        action->sa_flags &= ~SA_SIGINFO;
    memcpy(&action->sa_mask, &kept->mask, sizeof kept->mask);
}

static bool is_to_be_started_by_us(const struct sigaction *wanted)
{
    return wanted != NULL && (wanted->sa_flags & SA_ONSTACK) != 0 &&
           wanted->sa_handler != SIG_DFL && wanted->sa_handler != SIG_IGN &&
           !is_generic(wanted) && prof_core_is_ours();
}

int shell_alternate_action(
    shell_action_function *next, int number, const struct sigaction *wanted,
    struct sigaction *old)
{
    if (number < 1 || number >= NSIG)
        return next(number, wanted, old);
    struct prof_kernel_sigaction before = *prof_onstack_kept(number);
    struct sigaction ours;
    bool is_ours = is_to_be_started_by_us(wanted);
    if (is_ours) {
        struct prof_kernel_sigaction kept;
        shell_action_to_kernel(&kept, wanted);
        prof_onstack_keep(number, &kept);
        ours = *wanted;
        ours.sa_handler = (__sighandler_t)(uintptr_t)prof_handle_on_stack;
        ours.sa_flags |= SA_SIGINFO;
        (void)sigfillset(&ours.sa_mask);
    }
    int result = next(number, is_ours ? &ours : wanted, old);
    if (is_ours && result != 0)
        prof_onstack_keep(number, &before);
    if (result == 0 && old != NULL && is_generic(old))
        reveal(old, &before);
    return result;
}

__sighandler_t shell_alternate_believed(int number, __sighandler_t handler)
{
    if (handler == (__sighandler_t)(uintptr_t)prof_handle_on_stack)
        return prof_onstack_kept(number)->handler;
    return handler;
}
