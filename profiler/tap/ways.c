/* Which ways are open; see the header. */
#include "profiler/tap/ways.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/ptrace.h>
#include <unistd.h>

#include "profiler/attach/inject_check.h"
#include "profiler/attach/reach.h"
#include "profiler/collector/process_files.h"
#include "profiler/tap/events.h"

static const char *const names[PROF_WAYS] = {
    [PROF_WAY_PERF] = "perf",
    [PROF_WAY_INJECT] = "inject",
    [PROF_WAY_PTRACE] = "ptrace"};

const char *prof_way_name(enum prof_way way)
{
    return names[way];
}

enum prof_way prof_way_named(const char *name)
{
    enum prof_way way = 0;
    while (way < PROF_WAYS && strcmp(name, names[way]) != 0)
        way++;
    return way;
}

/*
 * A thread that is not held cannot be let go: ESRCH. Only what stands before
 * the call has another answer.
 */
static enum status ask_ptrace(uint32_t pid, struct diag *diag)
{
    uint32_t tracer = prof_process_files_status(pid, "TracerPid");
    if (ptrace(PTRACE_DETACH, getpid(), NULL, NULL) != 0 && errno != ESRCH)
        return fail(
            diag, STATUS_NOT_PERMITTED,
            "ptrace(2) is refused to us by seccomp (%s): docker run --cap-add "
            "SYS_PTRACE would permit it",
            strerror(errno));
    if (tracer != 0)
        return fail(
            diag, STATUS_NOT_PERMITTED,
            "process %" PRIu32 " is traced by process %" PRIu32
            ", and can have one tracer only: 'kill %" PRIu32 "' would end that",
            pid, tracer, tracer);
    return STATUS_OK;
}

static enum status ask_inject(uint32_t pid, struct diag *diag)
{
    struct prof_inject_place place;
    enum status status = ask_ptrace(pid, diag);
    return status == STATUS_OK ? prof_inject_check(pid, &place, diag) : status;
}

void prof_ways_judge(uint32_t pid, struct prof_ways *ways)
{
    *ways = (struct prof_ways){.reach.status = STATUS_OK};
    if (prof_reach_check(pid, &ways->reach) != STATUS_OK) {
        for (enum prof_way way = 0; way < PROF_WAYS; way++)
            ways->refusals[way] = ways->reach;
        return;
    }
    (void)prof_tap_events_ask(
        pid, &ways->user_only, &ways->refusals[PROF_WAY_PERF]);
    (void)ask_inject(pid, &ways->refusals[PROF_WAY_INJECT]);
    (void)ask_ptrace(pid, &ways->refusals[PROF_WAY_PTRACE]);
}
