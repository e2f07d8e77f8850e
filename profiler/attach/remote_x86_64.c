/* System calls made by a thread of another process, x86-64; see the header. */
#include "profiler/attach/remote.h"

#include <errno.h>
#include <linux/rseq.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "profiler/attach/tracee.h"
#include "profiler/base/clock.h"

/* A thread that was about to run stops at once, when it has a processor. */
#define PATIENCE_NS UINT64_C(50000000)

enum {
    SYSCALL_STOP = SIGTRAP | 0x80, /* PTRACE_O_TRACESYSGOOD */
    SYSCALL_FIRST = 0x0f,
    SYSCALL_SECOND = 0x05,
    CHUNK_BYTES = 4096,
};

/* The kernel's own, which no program sees: include/linux/errno.h. */
enum { KERNEL_ERESTARTNOINTR = 513, KERNEL_ERESTART_RESTARTBLOCK = 516 };

/* linux/ptrace.h, which does not go together with sys/ptrace.h */
#define GET_RSEQ_CONFIGURATION 0x420f

struct rseq_configuration {
    uint64_t address; /* of the thread's struct rseq; 0: it has none */
    uint32_t size_bytes, signature, flags, padding;
};

static bool read_memory(
    uint32_t pid, uint64_t address, void *bytes, size_t size)
{
    struct iovec here = {.iov_base = bytes, .iov_len = size};
    struct iovec there = {
        .iov_base = (void *)(uintptr_t)address, .iov_len = size};
    return process_vm_readv((pid_t)pid, &here, 1, &there, 1, 0) ==
           (ssize_t)size;
}

/*
 * Whether the thread may be inside a critical section. One in a system call is
 * not, as none may contain any; others are not asked for their memory if that
 * can be avoided: its lock may be with a thread that has no processor. Kernels
 * before 5.13 do not tell where to look.
 */
static bool is_in_rseq(uint32_t tid, const struct user_regs_struct *regs)
{
    struct rseq_configuration found = {0};
    if ((int64_t)regs->orig_rax >= 0)
        return false;
    if (syscall(
            SYS_ptrace, (long)GET_RSEQ_CONFIGURATION, (pid_t)tid, sizeof found,
            &found) < 0)
        return true;
    if (found.address == 0)
        return false;
    uint64_t section;
    struct rseq_cs bounds;
    if (!read_memory(
            tid, found.address + offsetof(struct rseq, rseq_cs), &section,
            sizeof section))
        return true;
    if (section == 0)
        return false;
    return !read_memory(tid, section, &bounds, sizeof bounds) ||
           regs->rip - bounds.start_ip < bounds.post_commit_offset;
}

/* The next stop, waited for at most so long; false: gone, or none came. */
static bool wait_for_stop(uint32_t tid, uint64_t patience_ns, int *status)
{
    uint64_t since_ns = clock_now_ns(CLOCK_MONOTONIC);
    for (;;) {
        pid_t got = waitpid((pid_t)tid, status, __WALL | WNOHANG);
        if (got == (pid_t)tid)
            return WIFSTOPPED(*status);
        if ((got < 0 && errno != EINTR) ||
            clock_now_ns(CLOCK_MONOTONIC) - since_ns > patience_ns)
            return false;
        (void)sched_yield();
    }
}

static bool is_interrupt_stop(int status)
{
    return status >> 16 == PTRACE_EVENT_STOP && WSTOPSIG(status) == SIGTRAP;
}

static void let_go(uint32_t tid, int status)
{
    /* A signal on its way goes on with the thread. */
    bool is_event = status >> 16 != 0;
    (void)ptrace(
        PTRACE_DETACH, (pid_t)tid, NULL,
        is_event ? 0L : (long)WSTOPSIG(status));
}

/* It sleeps deeply: it is let go when it does stop, or when we end. */
static void give_up(uint32_t tid)
{
    int status;
    if (wait_for_stop(tid, 10 * PATIENCE_NS, &status))
        let_go(tid, status);
}

static bool read_state(struct prof_remote *remote, bool is_running)
{
    pid_t tid = (pid_t)remote->tid;
    prof_tracee_mend_call(remote->tid, is_running);
    return ptrace(PTRACE_GETREGS, tid, NULL, &remote->regs) == 0 &&
           !is_in_rseq(remote->tid, &remote->regs) &&
           ptrace(PTRACE_GETSIGMASK, tid, sizeof remote->mask, &remote->mask) ==
               0;
}

enum prof_remote_begin prof_remote_begin(
    struct prof_remote *remote, uint32_t tid, bool is_running)
{
    remote->tid = tid;
    if (ptrace(PTRACE_SEIZE, (pid_t)tid, NULL, PTRACE_O_TRACESYSGOOD) != 0)
        return errno == ESRCH ? PROF_REMOTE_GONE : PROF_REMOTE_REFUSED;
    int status;
    if (ptrace(PTRACE_INTERRUPT, (pid_t)tid, NULL, NULL) != 0)
        return PROF_REMOTE_GONE;
    prof_urgency_raise(&remote->urgency, tid);
    if (!wait_for_stop(tid, PATIENCE_NS, &status)) {
        prof_urgency_restore(&remote->urgency);
        give_up(tid);
        return PROF_REMOTE_UNSAFE;
    }
    remote->since_ns = clock_now_ns(CLOCK_MONOTONIC);
    uint64_t all = ~UINT64_C(0);
    if (!is_interrupt_stop(status) || !read_state(remote, is_running) ||
        ptrace(PTRACE_SETSIGMASK, (pid_t)tid, sizeof all, &all) != 0) {
        prof_urgency_restore(&remote->urgency);
        let_go(tid, status);
        return PROF_REMOTE_UNSAFE;
    }
    return PROF_REMOTE_BEGUN;
}

/* On to the entry or the exit of the call; stops of the whole group pass. */
static bool run_to_call_stop(uint32_t tid)
{
    int status;
    do {
        if (ptrace(PTRACE_SYSCALL, (pid_t)tid, NULL, NULL) != 0 ||
            waitpid((pid_t)tid, &status, __WALL) != (pid_t)tid ||
            !WIFSTOPPED(status))
            return false;
        /* A fault, as all signals are blocked: the memory is another's. */
        if (status >> 16 == 0 && WSTOPSIG(status) != SYSCALL_STOP)
            return false;
    } while (WSTOPSIG(status) != SYSCALL_STOP);
    return true;
}

int64_t prof_remote_call(
    struct prof_remote *remote, int64_t number, const uint64_t arguments[6])
{
    struct user_regs_struct regs = remote->regs;
    regs.rip = remote->syscall_pc;
    regs.rax = (uint64_t)number;
    regs.orig_rax = ~UINT64_C(0); /* in no call that could be restarted */
    regs.rdi = arguments[0];
    regs.rsi = arguments[1];
    regs.rdx = arguments[2];
    regs.r10 = arguments[3];
    regs.r8 = arguments[4];
    regs.r9 = arguments[5];
    pid_t tid = (pid_t)remote->tid;
    if (ptrace(PTRACE_SETREGS, tid, NULL, &regs) != 0 ||
        !run_to_call_stop(remote->tid) || !run_to_call_stop(remote->tid) ||
        ptrace(PTRACE_GETREGS, tid, NULL, &regs) != 0)
        return -ESRCH;
    return (int64_t)regs.rax;
}

int64_t prof_remote_clone(struct prof_remote *remote, uint64_t flags)
{
    const uint64_t arguments[6] = {flags};
    return ptrace(
               PTRACE_SETOPTIONS, (pid_t)remote->tid, NULL,
               PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE) == 0
               ? prof_remote_call(remote, SYS_clone, arguments)
               : -ESRCH;
}

bool prof_remote_take_made(
    const struct prof_remote *remote, struct prof_remote *made)
{
    int status;
    pid_t found;
    do
        found = waitpid(-1, &status, __WALL);
    while (found < 0 && errno == EINTR);
    *made = (struct prof_remote){
        .tid = (uint32_t)found,
        .syscall_pc = remote->syscall_pc,
        .since_ns = clock_now_ns(CLOCK_MONOTONIC)};
    return found > 0 && WIFSTOPPED(status) &&
           ptrace(PTRACE_GETREGS, found, NULL, &made->regs) == 0;
}

void prof_remote_launch(struct prof_remote *made, uint64_t pc, uint64_t sp)
{
    struct user_regs_struct regs = made->regs;
    regs.rip = pc;
    regs.rsp = sp;
    regs.rax = 0;
    regs.orig_rax = ~UINT64_C(0); /* in no call that could be restarted */
    (void)ptrace(PTRACE_SETREGS, (pid_t)made->tid, NULL, &regs);
    (void)ptrace(PTRACE_DETACH, (pid_t)made->tid, NULL, 0L);
}

void prof_remote_begin_again(struct prof_remote *remote)
{
    if ((int64_t)remote->regs.orig_rax >= 0 &&
        (int64_t)remote->regs.rax == -KERNEL_ERESTART_RESTARTBLOCK)
        remote->regs.rax = (unsigned long long)-(int64_t)KERNEL_ERESTARTNOINTR;
}

uint64_t prof_remote_end(struct prof_remote *remote)
{
    pid_t tid = (pid_t)remote->tid;
    int status;
    if (ptrace(PTRACE_SETREGS, tid, NULL, &remote->regs) != 0 ||
        ptrace(PTRACE_SETSIGMASK, tid, sizeof remote->mask, &remote->mask) !=
            0 ||
        ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) != 0 ||
        ptrace(PTRACE_CONT, tid, NULL, NULL) != 0 ||
        waitpid(tid, &status, __WALL) != tid || !WIFSTOPPED(status))
        return clock_now_ns(CLOCK_MONOTONIC) - remote->since_ns;
    prof_urgency_restore(&remote->urgency);
    let_go(remote->tid, status);
    return clock_now_ns(CLOCK_MONOTONIC) - remote->since_ns;
}

uint64_t prof_remote_find_syscall(uint32_t pid, uint64_t start, uint64_t end)
{
    uint8_t bytes[CHUNK_BYTES];
    for (; start + sizeof bytes <= end; start += sizeof bytes) {
        if (!read_memory(pid, start, bytes, sizeof bytes))
            continue;
        for (size_t i = 0; i + 1 < sizeof bytes; i++) {
            if (bytes[i] == SYSCALL_FIRST && bytes[i + 1] == SYSCALL_SECOND)
                return start + i;
        }
    }
    return 0;
}
