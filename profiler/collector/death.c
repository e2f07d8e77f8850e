/* How a process has ended. */
#include "profiler/collector/death.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
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
