/* The roll of processes and threads. */
#include "profiler/recording/perf_roll.h"

#include <string.h>

#include "profiler/recording/perf_record.h"

struct enrolled_process {
    uint64_t epoch_ns, until_ns;
    uint32_t name;   /* as announced; 0: not yet */
    uint32_t latest; /* in a pid's first row: its last */
};

struct enrolled_thread {
    uint32_t name;
};

void prof_perf_roll_init(struct prof_perf_roll *roll)
{
    *roll = (struct prof_perf_roll){0};
    roll->process.row_bytes = sizeof(struct enrolled_process);
    roll->thread.row_bytes = sizeof(struct enrolled_thread);
}

void prof_perf_roll_fini(struct prof_perf_roll *roll)
{
    table_fini(&roll->process);
    table_fini(&roll->thread);
    index_fini(&roll->pid_index);
}

struct prof_perf_epoch prof_perf_roll_epoch(
    const struct prof_perf_roll *roll, uint32_t process)
{
    if (process >= roll->process.count)
        return (struct prof_perf_epoch){0, UINT64_MAX};
    const struct enrolled_process *row = table_row(&roll->process, process);
    return (struct prof_perf_epoch){row->epoch_ns, row->until_ns};
}

static bool pid_equal(const void *owner, uint32_t id, const void *key)
{
    return prof_profile_process(owner, id)->pid == *(const uint32_t *)key;
}

/* Another image of a pid: that of `first` ends where `row` begins. */
static void succeed(
    struct prof_perf_roll *roll, uint32_t first_id, uint32_t id,
    uint64_t start_ns)
{
    struct enrolled_process *first = table_row(&roll->process, first_id);
    struct enrolled_process *before = table_row(&roll->process, first->latest);
    before->until_ns = start_ns;
    first->latest = id;
}

/* Add the process; fork it from its parent if the pid is new. */
static void enroll_process(
    struct prof_perf_roll *roll, const struct prof_profile *profile,
    uint32_t id, struct prof_buffer *bytes)
{
    const struct prof_process *process = prof_profile_process(profile, id);
    struct enrolled_process row = {.until_ns = UINT64_MAX, .latest = id};
    uint32_t hash = hash_u64(process->pid);
    uint32_t first =
        index_find(&roll->pid_index, hash, pid_equal, profile, &process->pid);
    if (first != TABLE_NONE) {
        row.epoch_ns = process->start_ns;
        succeed(roll, first, id, process->start_ns);
    } else {
        roll->is_failed |= !index_add(&roll->pid_index, hash, id);
        if (process->parent_pid != 0)
            prof_perf_put_fork(
                bytes, (struct perf_stamp){process->pid, process->pid, 0},
                process->parent_pid);
    }
    roll->is_failed |= table_add(&roll->process, &row) == TABLE_NONE;
}

static void name_process(
    struct enrolled_process *row, const struct prof_profile *profile,
    const struct prof_process *process, struct prof_buffer *bytes)
{
    if (process->name == row->name || process->name == PROF_NONE)
        return;
    struct perf_stamp stamp = {process->pid, process->pid, row->epoch_ns};
    prof_perf_put_comm(
        bytes, stamp, prof_profile_text(profile, process->name),
        row->epoch_ns != 0);
    row->name = process->name;
}

/* Only names that the process's own does not tell. */
static void name_thread(
    const struct prof_perf_roll *roll, struct enrolled_thread *row,
    const struct prof_profile *profile, const struct prof_thread *thread,
    struct prof_buffer *bytes)
{
    const struct prof_process *process =
        prof_profile_process(profile, thread->process);
    uint32_t name = thread->name != 0 && thread->name != PROF_NONE
                        ? thread->name
                        : process->name;
    bool is_told = thread->tid == process->pid && name == process->name;
    if (name == row->name || name == PROF_NONE || is_told)
        return;
    struct perf_stamp stamp = {
        process->pid, thread->tid,
        prof_perf_roll_epoch(roll, thread->process).from_ns};
    prof_perf_put_comm(bytes, stamp, prof_profile_text(profile, name), false);
    row->name = name;
}

void prof_perf_roll_call(
    struct prof_perf_roll *roll, const struct prof_profile *profile,
    struct prof_buffer *bytes)
{
    uint32_t count = prof_profile_process_count(profile);
    while (roll->process.count < count && !roll->is_failed)
        enroll_process(roll, profile, roll->process.count, bytes);
    for (uint32_t id = 0; id < roll->process.count; id++) {
        name_process(
            table_row(&roll->process, id), profile,
            prof_profile_process(profile, id), bytes);
    }

    static const struct enrolled_thread unnamed;
    count = prof_profile_thread_count(profile);
    while (roll->thread.count < count && !roll->is_failed)
        roll->is_failed |= table_add(&roll->thread, &unnamed) == TABLE_NONE;
    for (uint32_t id = 0; id < roll->thread.count; id++) {
        const struct prof_thread *thread = prof_profile_thread(profile, id);
        if (thread->process < roll->process.count)
            name_thread(
                roll, table_row(&roll->thread, id), profile, thread, bytes);
    }
}
