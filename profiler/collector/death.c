/* How a process has ended. */
#include "profiler/collector/death.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "profiler/base/proc.h"

bool prof_death_is_there(uint32_t pid, int pidfd)
{
    struct pollfd wait = {.fd = pidfd, .events = POLLIN};
    if (pidfd < 0)
        return kill((pid_t)pid, 0) != 0 && errno == ESRCH;
    return poll(&wait, 1, 0) > 0;
}

/* ---- the status ---- */

/* As Linux 6.13 has it in <linux/pidfd.h>; later versions only append. */
struct pidfd_info {
    uint64_t mask, cgroup;
    uint32_t ids[11];
    int32_t exit_code;
};

#define INFO_EXIT      (UINT64_C(1) << 3) /* Linux 6.15 */
#define PIDFD_GET_INFO _IOWR(0xff, 11, struct pidfd_info)

_Static_assert(sizeof(struct pidfd_info) == 64, "PIDFD_INFO_SIZE_VER0");

/* Once it was waited for. */
static bool ask_pidfd(int pidfd, int *wait_status)
{
    struct pidfd_info info = {.mask = INFO_EXIT};
    if (pidfd < 0 || ioctl(pidfd, PIDFD_GET_INFO, &info) != 0 ||
        (info.mask & INFO_EXIT) == 0)
        return false;
    *wait_status = info.exit_code;
    return true;
}

static bool read_zombie(uint32_t pid, int *wait_status)
{
    enum { STATE = 3, EXIT_CODE = 52 };
    struct proc_stat stat;
    if (!proc_stat_read(&stat, pid, 0) || *proc_stat_field(&stat, STATE) != 'Z')
        return false;
    const char *code = proc_stat_field(&stat, EXIT_CODE);
    *wait_status = (int)strtol(code, NULL, 10);
    return *code != '\0';
}

bool prof_death_status(uint32_t pid, int pidfd, int *wait_status)
{
    /* It may be waited for between the two. */
    return ask_pidfd(pidfd, wait_status) || read_zombie(pid, wait_status) ||
           ask_pidfd(pidfd, wait_status);
}

/* ---- the OOM killer ---- */

static bool read_count(const char *path, uint64_t *count)
{
    static const char name[] = "oom_kill ";
    char line[256];
    bool is_found = false;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    while (!is_found && fgets(line, sizeof line, file) != NULL) {
        is_found = strncmp(line, name, sizeof name - 1) == 0;
        if (is_found)
            *count = strtoull(line + sizeof name - 1, NULL, 10);
    }
    (void)fclose(file);
    return is_found;
}

/*
 * In a name space of control groups, or without one in a container, the mount
 * is where the process is already.
 */
static bool find_file(
    struct prof_oom *oom, const char *mount, const char *group,
    const char *name)
{
    const char *groups[] = {strcmp(group, "/") == 0 ? "" : group, ""};
    for (int i = 0; i < 2; i++) {
        int length = snprintf(
            oom->path, sizeof oom->path, "%s%s/%s", mount, groups[i], name);
        if (length > 0 && (size_t)length < sizeof oom->path &&
            read_count(oom->path, &oom->before))
            return true;
    }
    oom->path[0] = '\0';
    return false;
}

/* A line is "ID:CONTROLLERS:PATH"; cgroups(7). */
static bool try_line(struct prof_oom *oom, char *line)
{
    char *controllers = strchr(line, ':');
    char *group = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
    if (group == NULL)
        return false;
    *group++ = '\0';
    group[strcspn(group, "\n")] = '\0';
    if (strcmp(controllers + 1, "memory") == 0)
        return find_file(
            oom, "/sys/fs/cgroup/memory", group, "memory.oom_control");
    if (controllers[1] != '\0')
        return false;
    return find_file(oom, "/sys/fs/cgroup", group, "memory.events") ||
           find_file(oom, "/sys/fs/cgroup/unified", group, "memory.events");
}

void prof_oom_begin(struct prof_oom *oom, uint32_t pid)
{
    char path[64], line[PROF_OOM_PATH_BYTES];
    oom->path[0] = '\0';
    (void)snprintf(path, sizeof path, "/proc/%" PRIu32 "/cgroup", pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return;
    while (fgets(line, sizeof line, file) != NULL && !try_line(oom, line))
        ;
    (void)fclose(file);
}

bool prof_oom_has_killed(struct prof_oom *oom)
{
    uint64_t now;
    if (oom->path[0] == '\0' || !read_count(oom->path, &now) ||
        now <= oom->before)
        return false;
    oom->before = now;
    return true;
}
