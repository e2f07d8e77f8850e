/* Why perf events on another process are refused, for a person. */
#include "profiler/tap/refusal.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "profiler/collector/perf_clock.h"

enum status prof_tap_refusal(int error, struct diag *diag)
{
    int level = prof_perf_paranoid_level();
    struct rlimit files = {0};
    switch (error) {
    case EMFILE:
    case ENFILE:
        (void)getrlimit(RLIMIT_NOFILE, &files);
        return fail(
            diag, STATUS_LIMIT,
            "one descriptor for each thread and processor is more than this "
            "system permits: 'ulimit -n' is %llu; 'ulimit -Hn 1048576' as root "
            "would raise it, and -t TID needs fewer",
            (unsigned long long)files.rlim_cur);
    case EACCES:
    case EPERM:
        if (level > 2)
            return fail(
                diag, STATUS_NOT_PERMITTED,
                "perf events are refused by kernel.perf_event_paranoid = %d to "
                "who lacks CAP_PERFMON: 'sudo watchfire ...' would be "
                "permitted, or 'sysctl kernel.perf_event_paranoid=2'",
                level);
        return fail(
            diag, STATUS_NOT_PERMITTED,
            "perf events are refused though kernel.perf_event_paranoid = %d: "
            "by seccomp (docker run --cap-add PERFMON would permit them), by "
            "kernel.yama.ptrace_scope, or to who lacks CAP_PERFMON; 'sudo "
            "watchfire ...' would be permitted",
            level);
    case ENOSYS:
        return fail(
            diag, STATUS_UNSUPPORTED,
            "perf events are refused: this kernel, or a seccomp filter, has no "
            "perf_event_open(2); docker run --cap-add PERFMON would permit it");
    default:
        return fail(
            diag, STATUS_SYSTEM, "perf events are refused: %s",
            strerror(error));
    }
}

void prof_tap_explain_user_only(struct diag *diag)
{
    (void)fail(
        diag, STATUS_NOT_PERMITTED,
        "time in the kernel is [unsampled], as kernel.perf_event_paranoid = %d "
        "hides the kernel from who lacks CAP_PERFMON; 'sudo watchfire ...' "
        "would show it, or 'sysctl kernel.perf_event_paranoid=1'",
        prof_perf_paranoid_level());
}
