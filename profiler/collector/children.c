/* The children of a process, by proc(5). */
#include "profiler/collector/children.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "profiler/base/proc.h"

/* Children belong to the thread that made them. */
static int open_list(uint32_t pid, uint32_t tid)
{
    char path[64];
    (void)snprintf(
        path, sizeof path, "/proc/%" PRIu32 "/task/%" PRIu32 "/children", pid,
        tid);
    return open(path, O_RDONLY | O_CLOEXEC);
}

static bool thread_has_children(uint32_t pid, uint32_t tid, void *unused)
{
    char first;
    (void)unused;
    int fd = open_list(pid, tid);
    ssize_t bytes = fd < 0 ? -1 : read(fd, &first, 1);
    if (fd >= 0)
        (void)close(fd);
    return bytes != 0;
}

typedef bool visit_thread(uint32_t pid, uint32_t tid, void *owner);

/* Until one visit is true; so it is when there are no threads to be seen. */
static bool visit_threads(uint32_t pid, visit_thread *visit, void *owner)
{
    struct proc_tasks tasks;
    uint32_t tid;
    bool is_found = false;
    if (!proc_tasks_open(&tasks, pid))
        return true;
    while (!is_found && proc_tasks_next(&tasks, &tid))
        is_found = visit(pid, tid, owner);
    proc_tasks_close(&tasks);
    return is_found;
}

/*
 * A thread that ends leaves its children to another one, whose list may have
 * been read already: then they stand in that at a second look.
 */
bool prof_has_children(uint32_t pid)
{
    bool is_found = false;
    for (int look = 0; look < 2 && !is_found; look++)
        is_found = visit_threads(pid, thread_has_children, NULL);
    return is_found;
}

struct visiting {
    prof_child_visit *visit;
    void *owner;
};

static bool visit_children(uint32_t pid, uint32_t tid, void *owner)
{
    const struct visiting *visiting = owner;
    unsigned child;
    int fd = open_list(pid, tid);
    FILE *file = fd >= 0 ? fdopen(fd, "r") : NULL;
    if (file == NULL && fd >= 0)
        (void)close(fd);
    while (file != NULL && fscanf(file, "%u", &child) == 1)
        visiting->visit(visiting->owner, child);
    if (file != NULL)
        (void)fclose(file);
    return false;
}

void prof_children_visit(uint32_t pid, prof_child_visit *visit, void *owner)
{
    struct visiting visiting = {visit, owner};
    (void)visit_threads(pid, visit_children, &visiting);
}
