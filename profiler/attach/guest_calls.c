/* The system calls that a guest takes, before seccomp; see the header. */
#include "profiler/attach/guest_calls.h"

#include <asm/prctl.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/audit.h>
#include <linux/close_range.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>

#include "profiler/base/seccomp.h"

/* linux/ptrace.h, which does not go together with sys/ptrace.h */
#define GET_FILTER 0x420c

/* A process has few; the kernel takes 32 768 instructions in all. */
enum { FILTERS_MAX = 1024 };

struct call {
    const char *name;
    int number;
    uint32_t known;
    uint64_t arguments[6];
};

#define NAMED(name) #name, SYS_##name
#define FIRST       SECCOMP_KNOWS_ARGUMENT(0)
#define SECOND      SECCOMP_KNOWS_ARGUMENT(1)
#define THIRD       SECCOMP_KNOWS_ARGUMENT(2)
#define FOURTH      SECCOMP_KNOWS_ARGUMENT(3)

static const struct call calls[] = {
    /* by the thread that is borrowed, and the one it makes */
    {NAMED(mmap),
     THIRD | FOURTH,
     {0, 0, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS}},
    {NAMED(mprotect), THIRD, {0, 0, PROT_READ | PROT_EXEC}},
    {NAMED(mprotect), THIRD, {0, 0, PROT_READ}},
    {NAMED(clone), FIRST, {PROF_GUEST_THREAD}},
    {NAMED(munmap), 0, {0}},
    {NAMED(rt_sigaction), 0, {0}},
    /* by the guest's */
    {NAMED(prctl), FIRST, {PR_SET_NAME}},
    {NAMED(mprotect), THIRD, {0, 0, PROT_NONE}},
    {NAMED(close_range), THIRD, {0, 0, CLOSE_RANGE_UNSHARE}},
    {NAMED(mmap),
     THIRD | FOURTH,
     {0, 0, PROT_READ | PROT_WRITE,
      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE}},
    {NAMED(mmap),
     THIRD | FOURTH,
     {0, 0, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED}},
    {NAMED(mremap), 0, {0}},
    {NAMED(madvise), THIRD, {0, 0, MADV_DONTFORK}},
    {NAMED(memfd_create), SECOND, {0, MFD_CLOEXEC | MFD_ALLOW_SEALING}},
    {NAMED(prlimit64), 0, {0}},
    {NAMED(ftruncate), 0, {0}},
    {NAMED(fcntl), SECOND, {0, F_ADD_SEALS}},
    {NAMED(flock), 0, {0}},
    {NAMED(openat), THIRD, {0, 0, O_RDONLY | O_CLOEXEC}},
    {NAMED(openat), THIRD, {0, 0, O_RDONLY | O_DIRECTORY | O_CLOEXEC}},
    {NAMED(read), 0, {0}},
    {NAMED(pread64), 0, {0}},
    {NAMED(fstat), 0, {0}},
    {NAMED(getdents64), 0, {0}},
    {NAMED(close), 0, {0}},
    {NAMED(arch_prctl), FIRST, {ARCH_GET_FS}},
    {NAMED(getpid), 0, {0}},
    {NAMED(gettid), 0, {0}},
    {NAMED(clock_gettime), 0, {0}},
    {NAMED(nanosleep), 0, {0}},
    {NAMED(futex), SECOND, {0, FUTEX_WAIT}},
    {NAMED(restart_syscall), 0, {0}},
    {NAMED(timer_create), 0, {0}},
    {NAMED(timer_settime), 0, {0}},
    {NAMED(timer_gettime), 0, {0}},
    {NAMED(timer_delete), 0, {0}},
    {NAMED(exit), FIRST, {0}},
    /* in the handler */
    {NAMED(rt_sigreturn), 0, {0}},
    {NAMED(rt_sigpending), 0, {0}},
};

static const struct call *find_refused(
    const struct sock_filter *code, uint32_t length)
{
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        struct seccomp_call call = {
            .data = {.nr = calls[i].number, .arch = AUDIT_ARCH_X86_64},
            .known = calls[i].known};
        for (unsigned j = 0; j < 6; j++)
            call.data.args[j] = calls[i].arguments[j];
        if (!seccomp_passes(code, length, &call))
            return &calls[i];
    }
    return NULL;
}

enum status prof_guest_calls_unread(uint32_t pid, struct diag *diag)
{
    return fail(
        diag, STATUS_NOT_PERMITTED,
        "process %" PRIu32 " has a seccomp filter (Seccomp: in /proc/%" PRIu32
        "/status), which may kill it for a system call that is not its own, "
        "and to read the filter takes CAP_SYS_ADMIN, without a filter upon "
        "watchfire: 'sudo watchfire record --via inject -p %" PRIu32
        "', or '--via perf', which makes none",
        pid, pid, pid);
}

enum status prof_guest_calls_judge(
    uint32_t pid, uint32_t tid, struct diag *diag)
{
    struct sock_filter code[BPF_MAXINSNS];
    for (long i = 0; i < FILTERS_MAX; i++) {
        errno = 0;
        long length = ptrace(GET_FILTER, (pid_t)tid, (void *)i, code);
        if (length < 0 && errno == ENOENT && i > 0)
            return STATUS_OK;
        if (length < 0 || length > BPF_MAXINSNS)
            return prof_guest_calls_unread(pid, diag);
        const struct call *refused = find_refused(code, (uint32_t)length);
        if (refused != NULL)
            return fail(
                diag, STATUS_NOT_PERMITTED,
                "the seccomp filter of process %" PRIu32
                " does not let our call of %s (number %d) pass: 'watchfire "
                "record --via perf -p %" PRIu32 "' makes none there",
                pid, refused->name, refused->number, pid);
    }
    return prof_guest_calls_unread(pid, diag);
}
