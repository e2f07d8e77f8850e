/* The threads and children of a process that runs. */
#include "profiler/tap/listing.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static bool has_process(const struct table *rows, uint32_t pid)
{
    for (uint32_t i = 0; i < rows->count; i++) {
        const struct prof_tap_listed *row = table_row(rows, i);
        if (row->pid == pid)
            return true;
    }
    return false;
}

/* The pids in /proc/PID/task/TID/children, where this system has it. */
static void add_children(int task, const char *tid, struct table *pids)
{
    char path[64];
    (void)snprintf(path, sizeof path, "%.20s/children", tid);
    int fd = openat(task, path, O_RDONLY | O_CLOEXEC);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
    uint32_t pid;
    if (file == NULL)
        return;
    while (fscanf(file, "%" SCNu32, &pid) == 1)
        (void)table_add(pids, &pid);
    (void)fclose(file);
}

static bool list_process(uint32_t pid, struct table *rows, struct table *pids)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%" PRIu32 "/task", pid);
    DIR *task = opendir(path);
    if (task == NULL)
        return false;
    for (struct dirent *entry; (entry = readdir(task)) != NULL;) {
        struct prof_tap_listed row = {
            .pid = pid, .tid = (uint32_t)atoi(entry->d_name)};
        if (row.tid == 0)
            continue;
        (void)table_add(rows, &row);
        add_children(dirfd(task), entry->d_name, pids);
    }
    (void)closedir(task);
    return true;
}

bool prof_tap_list_tree(uint32_t pid, struct table *rows)
{
    struct table pids = {.row_bytes = sizeof pid};
    bool is_there = has_process(rows, pid) || list_process(pid, rows, &pids);
    for (uint32_t i = 0; i < pids.count; i++) {
        uint32_t child = *(uint32_t *)table_row(&pids, i);
        if (child != (uint32_t)getpid() && !has_process(rows, child))
            (void)list_process(child, rows, &pids);
    }
    table_fini(&pids);
    return is_there;
}
