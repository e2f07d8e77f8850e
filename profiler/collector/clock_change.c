/*
 * From perf events to timers. Whether an event has expired is told by nothing
 * but its count, which has begun and does not grow while its thread runs.
 */
#include "profiler/collector/clock_change.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/perf_event.h>

#include "profiler/base/proc.h"
#include "profiler/collector/cpu_time.h"
#include "profiler/wire/cookie.h"

enum { RETRIES = 3 };

/* An event on one thread. */
struct bringer {
    uint32_t tid;
    int fd;
    bool is_started;
    uint64_t count_ns, cpu_ns; /* of it, and of its thread, when last read */
};

static void init_events(struct prof_clock_change *change)
{
    change->events = (struct table){.row_bytes = sizeof(struct bringer)};
}

void prof_clock_change_init(struct prof_clock_change *change, uint32_t pid)
{
    *change = (struct prof_clock_change){.pid = pid};
    init_events(change);
}

static struct bringer *bringer_at(
    const struct prof_clock_change *change, uint32_t i)
{
    return table_row(&change->events, i);
}

void prof_clock_change_fini(struct prof_clock_change *change)
{
    for (uint32_t i = 0; i < change->events.count; i++)
        (void)close(bringer_at(change, i)->fd);
    table_fini(&change->events);
    init_events(change);
}

static bool same_tid(const void *owner, uint32_t id, const void *key)
{
    return bringer_at(owner, id)->tid == *(const uint32_t *)key;
}

/* It expires as soon as the thread runs, and then no more. */
static int open_bringer(uint32_t tid)
{
    struct perf_event_attr attr = {
        .size = sizeof attr,
        .type = PERF_TYPE_SOFTWARE,
        .config = PERF_COUNT_SW_CPU_CLOCK,
        .sample_period = 1,
        .disabled = 1,
        .exclude_hv = 1,
        .sigtrap = 1,
        .remove_on_exec = 1,
        .sig_data = WIRE_CHANGE_COOKIE};
    return (int)syscall(
        SYS_perf_event_open, &attr, tid, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

/* False when there can be none, though the thread is there. */
static bool add(
    struct prof_clock_change *change, struct index *by_tid, uint32_t tid)
{
    if (index_find(by_tid, hash_u64(tid), same_tid, change, &tid) != TABLE_NONE)
        return true;
    struct bringer row = {.tid = tid, .fd = open_bringer(tid)};
    if (row.fd < 0)
        return errno == ESRCH;
    uint32_t id = table_add(&change->events, &row);
    if (id == TABLE_NONE) {
        (void)close(row.fd);
        return false;
    }
    return index_add(by_tid, hash_u64(tid), id);
}

static bool add_all(struct prof_clock_change *change)
{
    struct proc_tasks tasks;
    struct index by_tid = {0};
    uint32_t tid;
    bool is_all = true;
    if (!proc_tasks_open(&tasks, change->pid))
        return false;
    for (uint32_t i = 0; i < change->events.count; i++)
        (void)index_add(&by_tid, hash_u64(bringer_at(change, i)->tid), i);
    while (proc_tasks_next(&tasks, &tid))
        is_all = add(change, &by_tid, tid) && is_all;
    proc_tasks_close(&tasks);
    index_fini(&by_tid);
    return is_all;
}

bool prof_clock_change_open(struct prof_clock_change *change)
{
    /* Twice: a thread may be passed over when the one before it ends. */
    bool is_all = add_all(change);
    is_all = add_all(change) && is_all;
    change->retries = is_all ? 0 : RETRIES;
    return change->events.count > 0;
}

void prof_clock_change_start(struct prof_clock_change *change)
{
    for (uint32_t i = 0; i < change->events.count; i++) {
        struct bringer *bringer = bringer_at(change, i);
        if (!bringer->is_started)
            (void)ioctl(bringer->fd, PERF_EVENT_IOC_REFRESH, 1);
        bringer->is_started = true;
    }
}

/* Or its thread is gone. */
static bool has_expired(uint32_t pid, struct bringer *bringer)
{
    uint64_t count_ns = 0;
    if (read(bringer->fd, &count_ns, sizeof count_ns) != sizeof count_ns)
        return true;
    if (count_ns == 0)
        return false;
    uint64_t cpu_ns = prof_thread_cpu_ns(pid, bringer->tid);
    bool has_stopped = count_ns == bringer->count_ns;
    bool has_run = cpu_ns == 0 || cpu_ns > bringer->cpu_ns;
    bringer->count_ns = count_ns;
    if (!has_stopped)
        bringer->cpu_ns = cpu_ns;
    return has_stopped && has_run;
}

void prof_clock_change_tend(struct prof_clock_change *change)
{
    if (change->retries > 0) {
        change->retries--;
        if (add_all(change))
            change->retries = 0;
        prof_clock_change_start(change);
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < change->events.count; i++) {
        struct bringer row = *bringer_at(change, i);
        if (has_expired(change->pid, &row))
            (void)close(row.fd);
        else
            *bringer_at(change, kept++) = row;
    }
    change->events.count = kept;
}
