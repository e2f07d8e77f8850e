/* Whether code of ours may come into a process; see the header. */
#include "profiler/attach/inject_check.h"

#include <inttypes.h>
#include <linux/capability.h>
#include <linux/kcmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "profiler/attach/guest_calls.h"
#include "profiler/attach/reach.h"
#include "profiler/base/proc.h"

enum { LINE_BYTES = 512, PATH_BYTES = 64 };

/* For a tracer that is there for a moment only, as another of us. */
enum { TRACER_ROUNDS = 100, TRACER_PAUSE_NS = 1000000 };

struct standing {
    char state;
    uint32_t parent, tracer, seccomp;
    uint64_t capabilities; /* in force */
};

static FILE *open_file(uint32_t pid, const char *name)
{
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof path, "/proc/%" PRIu32 "/%s", pid, name);
    return fopen(path, "re");
}

static bool read_standing(uint32_t pid, struct standing *standing)
{
    struct proc_status status;
    if (!proc_status_read(&status, pid, pid))
        return false;
    *standing = (struct standing){
        .state = proc_status_line(&status, "State")[0],
        .parent = proc_status_number(&status, "PPid"),
        .tracer = proc_status_number(&status, "TracerPid"),
        .seccomp = proc_status_number(&status, "Seccomp"),
        .capabilities =
            strtoull(proc_status_line(&status, "CapEff"), NULL, 16)};
    return true;
}

static bool wait_for_tracer(uint32_t pid, struct standing *standing)
{
    static const struct timespec pause = {.tv_nsec = TRACER_PAUSE_NS};
    bool is_there = read_standing(pid, standing);
    for (int i = 0; i < TRACER_ROUNDS && is_there && standing->tracer != 0;
         i++) {
        (void)nanosleep(&pause, NULL);
        is_there = read_standing(pid, standing);
    }
    return is_there;
}

enum status prof_inject_vdso(uint32_t pid, uint64_t vdso[2], struct diag *diag)
{
    char line[LINE_BYTES];
    FILE *file = open_file(pid, "maps");
    if (file == NULL)
        return fail(diag, STATUS_GONE, "process %" PRIu32 " has ended", pid);
    vdso[0] = vdso[1] = 0;
    while (vdso[0] == 0 && fgets(line, sizeof line, file) != NULL) {
        if (strstr(line, "[vdso]") != NULL)
            (void)sscanf(line, "%" SCNx64 "-%" SCNx64, &vdso[0], &vdso[1]);
    }
    (void)fclose(file);
    if (vdso[0] == 0)
        return fail(
            diag, STATUS_UNSUPPORTED,
            "process %" PRIu32 " has no vDSO: its memory is not that of a "
            "program as the kernel starts it",
            pid);
    return STATUS_OK;
}

/*
 * A line of the maps. A fork's child inherits the beginning of its parent's
 * ring, and no more: that agent is not in it.
 */
static bool is_ring(const char *line)
{
    uint64_t offset;
    return strstr(line, "/memfd:watchfire") != NULL &&
           sscanf(line, "%*x-%*x %*s %" SCNx64, &offset) == 1 && offset > 0;
}

/* Whether we are there already. */
static enum status check_maps(uint32_t pid, struct diag *diag)
{
    char line[LINE_BYTES];
    bool is_watched = false, is_preloaded = false;
    FILE *file = open_file(pid, "maps");
    if (file == NULL)
        return fail(diag, STATUS_GONE, "process %" PRIu32 " has ended", pid);
    while (fgets(line, sizeof line, file) != NULL) {
        is_watched |= is_ring(line);
        is_preloaded |= strstr(line, "/libwatchfire.so") != NULL;
    }
    (void)fclose(file);
    if (is_watched || is_preloaded)
        return fail(
            diag, STATUS_UNSUPPORTED,
            "process %" PRIu32 " is watched already%s", pid,
            is_preloaded ? ", by the preloaded libwatchfire.so: '--via perf' "
                           "and '--via ptrace' do not mind, and one of them "
                           "is taken without --via"
                         : "");
    return STATUS_OK;
}

/* Between vfork() and exec a process lives in its parent's memory. */
static bool borrows_memory(uint32_t pid, uint32_t parent)
{
    return parent != 0 &&
           syscall(SYS_kcmp, (pid_t)pid, (pid_t)parent, KCMP_VM, 0, 0) == 0;
}

/*
 * Whether the process has pids of its own, and our /proc: there it is another,
 * or nobody. Each pid name space has a /proc of its own, and that is a device.
 */
static bool sees_our_pids(uint32_t pid)
{
    struct stat ours, its;
    char path[PATH_BYTES];
    uint32_t inner = proc_inner_tid(pid, pid);
    (void)snprintf(path, sizeof path, "/proc/%" PRIu32 "/root/proc", pid);
    return inner != 0 && inner != pid && stat("/proc", &ours) == 0 &&
           stat(path, &its) == 0 && ours.st_dev == its.st_dev;
}

/* seccomp_get_filter() in the kernel: for CAP_SYS_ADMIN, and nobody filtered.
 */
static bool may_read_filters(void)
{
    struct standing own;
    return read_standing((uint32_t)getpid(), &own) && own.seccomp == 0 &&
           (own.capabilities >> CAP_SYS_ADMIN & 1) != 0;
}

static enum status check_standing(
    uint32_t pid, const struct standing *standing, struct diag *diag)
{
    if (standing->tracer != 0)
        return fail(
            diag, STATUS_NOT_PERMITTED,
            "process %" PRIu32 " is traced by process %" PRIu32
            ", and can have one tracer only: 'kill %" PRIu32 "' would end that",
            pid, standing->tracer, standing->tracer);
    if (standing->state == 'T' || standing->state == 't')
        return fail(
            diag, STATUS_UNSUPPORTED,
            "process %" PRIu32 " is stopped: 'kill -CONT %" PRIu32
            "' lets it go on",
            pid, pid);
    if (standing->seccomp != 0 && !may_read_filters())
        return prof_guest_calls_unread(pid, diag);
    if (borrows_memory(pid, standing->parent))
        return fail(
            diag, STATUS_UNSUPPORTED,
            "process %" PRIu32 " lives in the memory of its parent, %" PRIu32
            ", until it starts a program",
            pid, standing->parent);
    if (sees_our_pids(pid))
        return fail(
            diag, STATUS_UNSUPPORTED,
            "process %" PRIu32 " has pids of its own, and a /proc that is not "
            "of these, where its threads are not to be found",
            pid);
    return STATUS_OK;
}

enum status prof_inject_check(
    uint32_t pid, struct prof_inject_place *place, struct diag *diag)
{
    struct standing standing;
    enum status status = prof_reach_check(pid, diag);
    if (status != STATUS_OK)
        return status;
    if (!wait_for_tracer(pid, &standing) ||
        !prof_identity_read(&place->identity, pid))
        return fail(diag, STATUS_GONE, "process %" PRIu32 " has ended", pid);
    status = check_standing(pid, &standing, diag);
    if (status == STATUS_OK)
        status = check_maps(pid, diag);
    place->is_filtered = standing.seccomp != 0;
    return status == STATUS_OK ? prof_inject_vdso(pid, place->vdso, diag)
                               : status;
}
