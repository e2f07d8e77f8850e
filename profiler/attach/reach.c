/* Whether a process can be reached; see the header. */
#include "profiler/attach/reach.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiler/base/proc.h"

enum { PATH_BYTES = 64, FLAGS = 9 }; /* the field, by proc(5) */

#define PF_KTHREAD 0x00200000u /* linux/sched.h, which programs do not have */

static int open_file(uint32_t pid, const char *name)
{
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof path, "/proc/%" PRIu32 "/%s", pid, name);
    return open(path, O_RDONLY | O_CLOEXEC);
}

int prof_reach_yama_scope(void)
{
    int scope = 0;
    FILE *file = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%d", &scope) != 1)
        scope = 0;
    (void)fclose(file);
    return scope;
}

static bool has_capability(unsigned number)
{
    struct proc_status ours;
    uint32_t pid = (uint32_t)getpid();
    return proc_status_read(&ours, pid, pid) &&
           (strtoull(proc_status_line(&ours, "CapEff"), NULL, 16) >> number &
            1) != 0;
}

/* Root is refused less often, and sudo does not help. */
static enum status explain_refusal_to_root(uint32_t pid, struct diag *diag)
{
    enum { SCOPE_NOBODY = 3 };
    if (!has_capability(CAP_SYS_PTRACE))
        return fail(
            diag, STATUS_NOT_PERMITTED,
            "process %" PRIu32 " may be looked at by who has CAP_SYS_PTRACE, "
            "which root lacks here: 'docker run --cap-add SYS_PTRACE ...' "
            "would give it",
            pid);
    if (prof_reach_yama_scope() >= SCOPE_NOBODY)
        return fail(
            diag, STATUS_NOT_PERMITTED,
            "kernel.yama.ptrace_scope=%d lets nobody look at another process, "
            "until the next start: 'sysctl kernel.yama.ptrace_scope' shows it",
            prof_reach_yama_scope());
    return fail(
        diag, STATUS_NOT_PERMITTED,
        "a security module forbids a look at process %" PRIu32
        ", though we have CAP_SYS_PTRACE: 'cat /sys/kernel/security/lsm' names "
        "them",
        pid);
}

static enum status explain_refusal(
    uint32_t pid, const struct proc_status *status, struct diag *diag)
{
    uint32_t uid = proc_status_number(status, "Uid");
    int scope = prof_reach_yama_scope();
    if (geteuid() == 0)
        return explain_refusal_to_root(pid, diag);
    if (uid != geteuid())
        return fail(
            diag, STATUS_NOT_PERMITTED,
            "process %" PRIu32 " belongs to user %" PRIu32
            ", and we run as user %u: 'sudo watchfire ...' would be permitted",
            pid, uid, (unsigned)geteuid());
    if (scope > 0)
        return fail(
            diag, STATUS_NOT_PERMITTED,
            "kernel.yama.ptrace_scope=%d refuses a look at process %" PRIu32
            ": 'sysctl kernel.yama.ptrace_scope=0' would permit it, or 'sudo "
            "watchfire ...'",
            scope, pid);
    return fail(
        diag, STATUS_NOT_PERMITTED,
        "process %" PRIu32
        " is not dumpable (prctl PR_GET_DUMPABLE: it changed its user, may do "
        "more than we may, or asked for it): 'sudo watchfire ...' would be "
        "permitted",
        pid);
}

static enum status check_program(uint32_t pid, struct diag *diag)
{
    Elf64_Ehdr header;
    int fd = open_file(pid, "exe");
    if (fd < 0)
        return STATUS_OK; /* it has ended since, or its folder is gone */
    ssize_t got = read(fd, &header, sizeof header);
    (void)close(fd);
    if (got != (ssize_t)sizeof header ||
        memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
        (header.e_ident[EI_CLASS] == ELFCLASS64 &&
         header.e_machine == EM_X86_64))
        return STATUS_OK;
    return fail(
        diag, STATUS_UNSUPPORTED,
        "process %" PRIu32 " runs a %s program for machine %u: only x86-64 is "
        "handled",
        pid, header.e_ident[EI_CLASS] == ELFCLASS64 ? "64-bit" : "32-bit",
        (unsigned)header.e_machine);
}

/* It has no memory; nor has a process that is about to end. */
static bool is_of_kernel(uint32_t pid)
{
    struct proc_stat stat;
    return proc_stat_read(&stat, pid, 0) &&
           strtoul(proc_stat_field(&stat, FLAGS), NULL, 10) & PF_KTHREAD;
}

enum status prof_reach_check(uint32_t pid, struct diag *diag)
{
    struct proc_status status;
    if (pid == (uint32_t)getpid())
        return fail(
            diag, STATUS_USAGE, "process %" PRIu32 " is this command itself",
            pid);
    if (!proc_status_read(&status, pid, pid))
        return fail(diag, STATUS_GONE, "there is no process %" PRIu32, pid);
    uint32_t leader = proc_status_number(&status, "Tgid");
    if (leader != pid)
        return fail(
            diag, STATUS_USAGE,
            "%" PRIu32 " is a thread of process %" PRIu32 ": -p %" PRIu32
            " -t %" PRIu32,
            pid, leader, leader, pid);
    if (strchr("ZX", proc_status_line(&status, "State")[0]) != NULL)
        return fail(
            diag, STATUS_GONE,
            "process %" PRIu32 " has ended; its parent, %" PRIu32
            ", has not asked for its status yet",
            pid, proc_status_number(&status, "PPid"));
    if (is_of_kernel(pid))
        return fail(
            diag, STATUS_UNSUPPORTED,
            "%" PRIu32 " is a thread of the kernel, which has no program", pid);
    if (proc_status_line(&status, "VmSize")[0] == '\0')
        return fail(diag, STATUS_GONE, "process %" PRIu32 " has ended", pid);

    int memory = open_file(pid, "mem");
    if (memory >= 0) {
        (void)close(memory);
        return check_program(pid, diag);
    }
    if (errno == ENOENT || errno == ESRCH)
        return fail(diag, STATUS_GONE, "process %" PRIu32 " has ended", pid);
    return explain_refusal(pid, &status, diag);
}
