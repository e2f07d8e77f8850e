/*
 * What the OOM killer did in the control group of a process: the kernel counts
 * whom it kills there, and sends SIGKILL as anybody may.
 */
#ifndef PROFILER_COLLECTOR_OOM_H
#define PROFILER_COLLECTOR_OOM_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/table.h"

#define PROF_OOM_PATH_BYTES 512

struct prof_oom {
    char path[PROF_OOM_PATH_BYTES]; /* of the file with the count; "": none */
    uint64_t before;
};

/* Begin to watch the group that the process is in now. */
void prof_oom_begin(struct prof_oom *oom, uint32_t pid);

/*
 * The same with the group as cgroups(7) has it in /proc/PID/cgroup.
 *
 *   mounts  where the hierarchies are: /sys/fs/cgroup
 *   path    of the file that names the group
 */
void prof_oom_begin_in(
    struct prof_oom *oom, const char *mounts, const char *path);

/* Whom it has killed in which group, as far as that was asked. */
struct prof_oom_ledger {
    struct table groups; /* struct prof_oom: `before` is what was told of */
};

void prof_oom_ledger_init(struct prof_oom_ledger *ledger);
void prof_oom_ledger_fini(struct prof_oom_ledger *ledger);

/*
 * Whether a process that was killed may have been by the OOM killer: its group
 * counts one more than when it began, and than were told of already.
 */
bool prof_oom_has_killed(
    struct prof_oom_ledger *ledger, const struct prof_oom *oom);

#endif
