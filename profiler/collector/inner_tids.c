/* The threads of a process in a pid name space of its own, by their own ids. */
#include "profiler/collector/inner_tids.h"

#include <time.h>

#include "profiler/base/clock.h"
#include "profiler/base/proc.h"
#include "profiler/collector/limits.h"

enum { SCAN_SHARE = 50 }; /* a scan takes one part of the time */

struct prof_inner_tid {
    uint32_t inner, outer; /* outer 0: the thread has ended */
};

void prof_inner_tids_fini(struct prof_inner_tids *tids)
{
    table_fini(&tids->rows);
    index_fini(&tids->by_inner);
}

static bool same_inner(const void *owner, uint32_t id, const void *key)
{
    const struct prof_inner_tids *tids = owner;
    const struct prof_inner_tid *row = table_row(&tids->rows, id);
    return row->inner == *(const uint32_t *)key;
}

static struct prof_inner_tid *find(
    const struct prof_inner_tids *tids, uint32_t inner)
{
    uint32_t id =
        index_find(&tids->by_inner, hash_u64(inner), same_inner, tids, &inner);
    return id != TABLE_NONE ? table_row(&tids->rows, id) : NULL;
}

static void note(struct prof_inner_tids *tids, uint32_t inner, uint32_t outer)
{
    struct prof_inner_tid *known = find(tids, inner);
    struct prof_inner_tid row = {inner, outer};
    if (known != NULL) {
        known->outer = outer;
        return;
    }
    if (tids->rows.count >= PROF_LIMIT_THREADS)
        return;
    uint32_t id = table_add(&tids->rows, &row);
    if (id != TABLE_NONE)
        (void)index_add(&tids->by_inner, hash_u64(inner), id);
}

static void scan(struct prof_inner_tids *tids, uint32_t pid)
{
    struct proc_tasks tasks;
    uint32_t tid;
    tids->rows.row_bytes = sizeof(struct prof_inner_tid);
    if (!proc_tasks_open(&tasks, pid))
        return;
    while (proc_tasks_next(&tasks, &tid)) {
        uint32_t inner = proc_inner_tid(pid, tid);
        if (inner != 0)
            note(tids, inner, tid);
    }
    proc_tasks_close(&tasks);
}

uint32_t prof_inner_tids_outer(
    struct prof_inner_tids *tids, uint32_t pid, uint32_t inner)
{
    const struct prof_inner_tid *known = find(tids, inner);
    uint64_t begin_ns = clock_now_ns(CLOCK_MONOTONIC);
    if ((known == NULL || known->outer == 0) && begin_ns >= tids->next_ns) {
        scan(tids, pid);
        uint64_t end_ns = clock_now_ns(CLOCK_MONOTONIC);
        tids->next_ns = end_ns + (end_ns - begin_ns) * SCAN_SHARE;
        known = find(tids, inner);
    }
    return known != NULL ? known->outer : 0;
}

uint32_t prof_inner_tids_take(struct prof_inner_tids *tids, uint32_t inner)
{
    struct prof_inner_tid *known = find(tids, inner);
    uint32_t outer = known != NULL ? known->outer : 0;
    if (known != NULL)
        known->outer = 0;
    return outer;
}
