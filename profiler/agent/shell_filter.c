/*
 * What a seccomp filter would do to system calls that are ours; its program is
 * run by profiler/base/seccomp.h.
 *
 * Two questions are asked. Whether rt_sigreturn passes: if not, the next sample
 * would be the end of the program. And whether what our constructor calls
 * passes, or at least fails without a signal: the filter outlives exec.
 *
 * Arguments are not known beforehand; a filter that looks at those of a call is
 * taken to refuse it.
 */
#include "profiler/agent/shell_filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "profiler/agent/core.h"
#include "profiler/agent/shell.h"
#include "profiler/agent/sig_restorer.h"
#include "profiler/agent/signals.h"
#include "profiler/agent/withdraw.h"
#include "profiler/base/seccomp.h"

static struct seccomp_call make_call(long number)
{
    return (struct seccomp_call){
        .data =
            {.nr = (int)number,
             .arch = AUDIT_ARCH_X86_64,
             .instruction_pointer = (uintptr_t)prof_restore_rt},
        .known = SECCOMP_KNOWS_PLACE};
}

static uint32_t verdict(
    const struct sock_filter *code, uint32_t length, long number)
{
    struct seccomp_call call = make_call(number);
    return seccomp_verdict(code, length, &call);
}

static bool passes(const struct sock_filter *code, uint32_t length, long number)
{
    struct seccomp_call call = make_call(number);
    return seccomp_passes(code, length, &call);
}

/* Or makes it a signal, or a question to somebody else. */
static bool kills(const struct sock_filter *code, uint32_t length, long number)
{
    uint32_t action = verdict(code, length, number);
    return action != SECCOMP_RET_ALLOW && action != SECCOMP_RET_LOG &&
           action != SECCOMP_RET_ERRNO;
}

/* One of them at least. */
static bool kills_any(
    const struct sock_filter *code, uint32_t length, const int *numbers,
    size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (kills(code, length, numbers[i]))
            return true;
    }
    return false;
}

/* What the constructor calls, from the session to HELLO. */
static bool kills_constructor(const struct sock_filter *code, uint32_t length)
{
    static const int numbers[] = {
        SYS_getpid,         SYS_openat,        SYS_read,
        SYS_close,          SYS_mmap,          SYS_munmap,
        SYS_madvise,        SYS_memfd_create,  SYS_ftruncate,
        SYS_fcntl,          SYS_socket,        SYS_connect,
        SYS_getsockopt,     SYS_getuid,        SYS_geteuid,
        SYS_sendmsg,        SYS_recvmsg,       SYS_recvfrom,
        SYS_ppoll,          SYS_gettid,        SYS_rt_sigaction,
        SYS_rt_sigprocmask, SYS_getdents64,    SYS_timer_create,
        SYS_timer_settime,  SYS_clock_gettime, SYS_rt_sigreturn,
        SYS_exit_group,     SYS_timer_delete};
    return kills_any(code, length, numbers, sizeof numbers / sizeof *numbers);
}

/* What sig_crash.c calls, what ends the program then, and what gives a thread
   its stack for that. */
static bool kills_crash(const struct sock_filter *code, uint32_t length)
{
    static const int numbers[] = {
        SYS_getpid,       SYS_gettid,         SYS_process_vm_readv,
        SYS_prctl,        SYS_socket,         SYS_setsockopt,
        SYS_connect,      SYS_getsockopt,     SYS_getuid,
        SYS_geteuid,      SYS_sendmsg,        SYS_ppoll,
        SYS_recvmsg,      SYS_close,          SYS_nanosleep,
        SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_tgsigqueueinfo,
        SYS_tgkill,       SYS_sigaltstack,    SYS_mmap,
        SYS_munmap};
    return kills_any(code, length, numbers, sizeof numbers / sizeof *numbers);
}

/* The vDSO asks the kernel when the clock source cannot be read by all. */
static bool is_clock_readable(void)
{
    static const char path[] =
        "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    char name[16] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t bytes = read(fd, name, sizeof name - 1);
    (void)close(fd);
    return bytes > 0 && (strncmp(name, "tsc", 3) == 0 ||
                         strncmp(name, "kvm-clock", 9) == 0 ||
                         strncmp(name, "hyperv", 6) == 0);
}

static bool is_deadly, is_getpid_safe = true;

/* Not even a signal that is ignored may get into our handler any more. */
static void withdraw(const char *reason)
{
    prof_core_withdraw(reason);
    shell_mask_reveal();
    prof_signals_uninstall();
}

static void judge(const struct sock_filter *code, uint32_t length)
{
    is_deadly = is_deadly || kills_constructor(code, length);
    prof_core.is_crash_silent =
        prof_core.is_crash_silent || kills_crash(code, length);
    is_getpid_safe = is_getpid_safe && !kills(code, length, SYS_getpid);
    const char *reason = NULL;
    if (!passes(code, length, SYS_rt_sigreturn))
        reason = "its seccomp filter forbids to return from a signal handler";
    else if (!passes(code, length, SYS_clock_gettime) && !is_clock_readable())
        reason = "its seccomp filter forbids to read the clock";
    if (reason != NULL)
        withdraw(reason);
}

/* False: it leads nowhere. Where the call is refused, it is believed. */
static bool copy(void *to, const void *from, size_t bytes)
{
    struct iovec here = {.iov_base = to, .iov_len = bytes};
    struct iovec there = {
        .iov_base = (void *)(uintptr_t)from, .iov_len = bytes};
    if (process_vm_readv(getpid(), &here, 1, &there, 1, 0) == (ssize_t)bytes)
        return true;
    if (errno == EFAULT)
        return false;
    memcpy(to, from, bytes);
    return true;
}

static void judge_program(const struct sock_fprog *program)
{
    struct sock_fprog header;
    if (!copy(&header, program, sizeof header) || header.len == 0 ||
        header.len > BPF_MAXINSNS)
        return; /* the kernel refuses it as well */
    size_t bytes = header.len * sizeof(struct sock_filter);
    struct sock_filter *code = mmap(
        NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
        0);
    if (code == MAP_FAILED)
        return;
    if (copy(code, header.filter, bytes))
        judge(code, header.len);
    (void)munmap(code, bytes);
}

void shell_filter_prepare(const struct sock_fprog *program)
{
    int saved_errno = errno;
    if (!prof_signal_is_ours(SIGTRAP))
        return;
    if (program == NULL) {
        /* Which comes with PR_TSC_SIGSEGV: seccomp_set_mode_strict(). */
        is_deadly = true;
        is_getpid_safe = false;
        withdraw("strict seccomp forbids to read the clock");
    } else if (!prof_core_is_silent()) {
        judge_program(program);
    } else {
        /* An earlier filter stands: no call may be made to look. */
        judge(program->filter, program->len);
    }
    errno = saved_errno;
}

void shell_filter_installed(void)
{
    if (is_deadly)
        prof_core_fall_silent(is_getpid_safe);
}

bool shell_filter_is_deadly(void)
{
    return is_deadly && prof_core_is_silent();
}
