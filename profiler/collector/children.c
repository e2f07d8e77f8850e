/* Whether a process has children, by proc(5). */
#include "profiler/collector/children.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Children belong to the thread that made them. */
static bool thread_has_children(int task, const char *tid)
{
    char path[64], first;
    (void)snprintf(path, sizeof path, "%.20s/children", tid);
    int fd = openat(task, path, O_RDONLY | O_CLOEXEC);
    ssize_t bytes = fd < 0 ? -1 : read(fd, &first, 1);
    if (fd >= 0)
        (void)close(fd);
    return bytes != 0;
}

bool prof_has_children(uint32_t pid)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%" PRIu32 "/task", pid);
    DIR *task = opendir(path);
    if (task == NULL)
        return true;
    bool is_found = false;
    for (struct dirent *entry; !is_found && (entry = readdir(task)) != NULL;) {
        if (entry->d_name[0] != '.')
            is_found = thread_has_children(dirfd(task), entry->d_name);
    }
    (void)closedir(task);
    return is_found;
}
