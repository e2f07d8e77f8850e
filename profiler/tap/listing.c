/* The threads and children of a process that runs. */
#include "profiler/tap/listing.h"

#include <unistd.h>

#include "profiler/base/proc.h"
#include "profiler/collector/children.h"

static bool has_process(const struct table *rows, uint32_t pid)
{
    for (uint32_t i = 0; i < rows->count; i++) {
        const struct prof_tap_listed *row = table_row(rows, i);
        if (row->pid == pid)
            return true;
    }
    return false;
}

static void add_child(void *owner, uint32_t pid)
{
    (void)table_add(owner, &pid);
}

static bool list_process(uint32_t pid, struct table *rows, struct table *pids)
{
    struct prof_tap_listed row = {.pid = pid};
    struct proc_tasks tasks;
    if (!proc_tasks_open(&tasks, pid))
        return false;
    while (proc_tasks_next(&tasks, &row.tid))
        (void)table_add(rows, &row);
    proc_tasks_close(&tasks);
    prof_children_visit(pid, add_child, pids);
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
