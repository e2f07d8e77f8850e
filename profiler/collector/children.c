/* The children of a process, by proc(5). */
#include "profiler/collector/children.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Children belong to the thread that made them. */
static int open_list(int task, const char *tid)
{
    char path[64];
    (void)snprintf(path, sizeof path, "%.20s/children", tid);
    return openat(task, path, O_RDONLY | O_CLOEXEC);
}

static bool thread_has_children(int task, const char *tid, void *unused)
{
    char first;
    (void)unused;
    int fd = open_list(task, tid);
    ssize_t bytes = fd < 0 ? -1 : read(fd, &first, 1);
    if (fd >= 0)
        (void)close(fd);
    return bytes != 0;
}

typedef bool visit_thread(int task, const char *tid, void *owner);

/* Until one visit is true; so it is when there are no threads to be seen. */
static bool visit_threads(uint32_t pid, visit_thread *visit, void *owner)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%" PRIu32 "/task", pid);
    DIR *task = opendir(path);
    if (task == NULL)
        return true;
    bool is_found = false;
    for (struct dirent *entry; !is_found && (entry = readdir(task)) != NULL;) {
        if (entry->d_name[0] != '.')
            is_found = visit(dirfd(task), entry->d_name, owner);
    }
    (void)closedir(task);
    return is_found;
}

bool prof_has_children(uint32_t pid)
{
    return visit_threads(pid, thread_has_children, NULL);
}

struct visiting {
    prof_child_visit *visit;
    void *owner;
};

static bool visit_children(int task, const char *tid, void *owner)
{
    const struct visiting *visiting = owner;
    unsigned pid;
    int fd = open_list(task, tid);
    FILE *file = fd >= 0 ? fdopen(fd, "r") : NULL;
    if (file == NULL && fd >= 0)
        (void)close(fd);
    while (file != NULL && fscanf(file, "%u", &pid) == 1)
        visiting->visit(visiting->owner, pid);
    if (file != NULL)
        (void)fclose(file);
    return false;
}

void prof_children_visit(uint32_t pid, prof_child_visit *visit, void *owner)
{
    struct visiting visiting = {visit, owner};
    (void)visit_threads(pid, visit_children, &visiting);
}
