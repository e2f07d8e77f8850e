/* One program image that is watched from outside; see the header. */
#include "profiler/tap/process.h"

#include <stdlib.h>
#include <string.h>

#include "profiler/base/clock.h"
#include "profiler/collector/cpu_time.h"
#include "profiler/collector/limits.h"
#include "profiler/collector/process_files.h"

struct prof_tap_process **prof_tap_process_find(
    struct prof_tap_process **first, uint32_t pid)
{
    struct prof_tap_process **at = first;
    while (*at != NULL && (*at)->pid != pid)
        at = &(*at)->next;
    return at;
}

static struct prof_tap_process *create(
    struct prof_tap_common *common, uint32_t pid, uint32_t row)
{
    struct prof_tap_process *made = calloc(1, sizeof *made);
    if (made == NULL)
        return NULL;
    made->common = common;
    made->pid = pid;
    made->process = row;
    prof_tap_mapped_init(&made->mapped, common->profile);
    made->threads.row_bytes = sizeof(struct prof_tap_thread);
    made->last_ended = TABLE_NONE;
    prof_frame_cache_init(&made->frames);
    prof_address_space_init(
        &made->space, common->profile, &common->build_ids, row, pid);
    return made;
}

struct prof_tap_process *prof_tap_process_meet(
    struct prof_tap_common *common, uint32_t pid)
{
    struct prof_tap_process *made =
        create(common, pid, prof_process_files_add(common->profile, pid));
    if (made == NULL)
        return NULL;
    if (!common->is_by_thread)
        made->begin_ns = made->clock_ns = prof_process_cpu_ns(pid);
    made->is_continued = true;
    prof_tap_process_read_maps(made);
    return made;
}

/* ---- what is mapped ---- */

void prof_tap_process_map_code(struct prof_tap_process *process)
{
    for (uint32_t i = 0; i < process->mapped.lines.count; i++) {
        struct prof_maps_line line = prof_tap_mapped_line(&process->mapped, i);
        prof_code_map(process->code, &line);
    }
}

void prof_tap_process_read_maps(struct prof_tap_process *process)
{
    uint64_t now_ns = clock_now_ns(CLOCK_MONOTONIC);
    char *maps = prof_maps_read(process->pid), *rest = maps;
    for (char *text; (text = strsep(&rest, "\n")) != NULL;) {
        struct prof_maps_line line;
        if (!prof_maps_parse(text, &line) || !prof_maps_is_code(&line))
            continue;
        prof_tap_mapped_note(&process->mapped, &line);
        if (!process->is_latent)
            prof_address_space_map(&process->space, &line, now_ns);
        if (process->code != NULL)
            prof_code_map(process->code, &line);
    }
    free(maps);
}

/* The first file an image maps is its program; then comes the loader. */
static void note_program(
    const struct prof_tap_process *process, const char *path)
{
    struct prof_profile *profile = process->common->profile;
    if (process->process == PROF_NONE || path[0] != '/')
        return;
    struct prof_process *row =
        prof_profile_edit_process(profile, process->process);
    uint32_t name = row->path == 0 ? prof_profile_string(profile, path) : 0;
    if (name != 0)
        prof_profile_edit_process(profile, process->process)->path = name;
}

void prof_tap_process_map(
    struct prof_tap_process *process, const struct prof_tap_record *record)
{
    const struct prof_maps_line line = prof_tap_record_line(record);
    if (!record->is_code || line.end <= line.start || !prof_maps_is_code(&line))
        return;
    /* Not even its name is kept. */
    if (process->space.mappings.count >= PROF_LIMIT_MAPPINGS)
        return;
    note_program(process, line.path);
    prof_tap_mapped_note(&process->mapped, &line);
    if (!process->is_latent)
        prof_address_space_map(&process->space, &line, record->time_ns);
    if (process->code != NULL)
        prof_code_map(process->code, &line);
}

/* ---- fork, exec and end ---- */

/* Who has the time of a child that never has a sample. */
static void name_heir(
    struct prof_tap_process *made, struct prof_tap_process *parent)
{
    made->heir_process = parent->process;
    made->heir_thread = PROF_NONE;
    const struct prof_tap_thread *first =
        parent->threads.count > 0 ? table_row(&parent->threads, 0) : NULL;
    if (parent->is_latent) {
        made->heir_process = parent->heir_process;
        made->heir_thread = parent->heir_thread;
    } else if (
        first != NULL ||
        (first = prof_tap_process_thread(parent, parent->pid)) != NULL) {
        made->heir_thread = first->thread;
    }
}

struct prof_tap_process *prof_tap_process_fork(
    struct prof_tap_process *parent, uint32_t pid, uint64_t time_ns)
{
    struct prof_tap_common *common = parent->common;
    struct prof_process row = {.pid = pid, .parent_pid = parent->pid};
    if (parent->is_latent || parent->process != PROF_NONE) {
        const struct prof_process *of_parent =
            parent->is_latent
                ? &parent->latent
                : prof_profile_process(common->profile, parent->process);
        row.name = of_parent->name;
        row.path = of_parent->path;
    }
    row.start_ns = time_ns;
    struct prof_tap_process *made = create(common, pid, PROF_NONE);
    if (made == NULL)
        return NULL;
    made->is_latent = true;
    made->latent = row;
    name_heir(made, parent);
    prof_tap_mapped_inherit(&made->mapped, &parent->mapped);
    return made;
}

static void appear(struct prof_tap_process *process)
{
    if (!process->is_latent)
        return;
    process->is_latent = false;
    process->process =
        prof_profile_add_process(process->common->profile, &process->latent);
    process->space.process = process->process;
    for (uint32_t i = 0; i < process->mapped.lines.count; i++) {
        struct prof_maps_line line = prof_tap_mapped_line(&process->mapped, i);
        prof_address_space_map(
            &process->space, &line, process->latent.start_ns);
    }
}

/* The clock goes on; what the image before had used is known about. */
static void succeed(
    struct prof_tap_process *before, struct prof_tap_process *made)
{
    before->is_replaced = true;
    made->is_continued = true;
    made->clock_ns = before->clock_ns;
    made->begin_ns = before->begin_ns + before->given_ns;
    if (made->begin_ns < made->clock_ns)
        made->begin_ns = made->clock_ns;
}

struct prof_tap_process *prof_tap_process_exec(
    struct prof_tap_process *before, const struct prof_tap_record *comm)
{
    struct prof_tap_common *common = before->common;
    struct prof_process row = {
        .pid = before->pid,
        .name = prof_profile_string(common->profile, comm->name),
        .start_ns = comm->time_ns};
    if (before->is_latent)
        row.parent_pid = before->latent.parent_pid;
    else if (before->process != PROF_NONE)
        row.parent_pid =
            prof_profile_process(common->profile, before->process)->parent_pid;
    struct prof_tap_process *made = create(
        common, before->pid, prof_profile_add_process(common->profile, &row));
    if (made == NULL)
        return NULL;
    succeed(before, made);
    return made;
}

struct prof_tap_process *prof_tap_process_meet_again(
    struct prof_tap_process *before)
{
    struct prof_tap_common *common = before->common;
    struct prof_tap_process *made = create(
        common, before->pid,
        prof_process_files_add(common->profile, before->pid));
    if (made == NULL)
        return NULL;
    succeed(before, made);
    prof_tap_process_read_maps(made);
    return made;
}

/* What the threads that are watched have used; 0: none of them is there. */
static uint64_t sum_of_threads_ns(const struct prof_tap_process *process)
{
    uint64_t sum_ns = 0;
    bool is_there = false;
    for (uint32_t i = 0; i < process->threads.count; i++) {
        struct prof_tap_thread *thread = table_row(&process->threads, i);
        uint64_t now_ns = prof_thread_cpu_ns(process->pid, thread->tid);
        is_there |= now_ns != 0;
        if (now_ns != 0)
            thread->clock_ns = now_ns;
        sum_ns += thread->clock_ns - thread->begin_ns;
    }
    return is_there ? sum_ns + 1 : 0;
}

bool prof_tap_process_read_clock(struct prof_tap_process *process)
{
    uint64_t now_ns = process->common->is_by_thread
                          ? sum_of_threads_ns(process)
                          : prof_process_cpu_ns(process->pid);
    if (now_ns != 0) {
        process->clock_ns = now_ns;
        process->given_then_ns = process->given_ns;
        prof_tap_steer_look(
            &process->steer, process->common->period_ns,
            now_ns - process->begin_ns, process->given_ns,
            process->common->unread_ns);
    }
    return now_ns != 0;
}

static void free_process(struct prof_tap_process *process)
{
    for (uint32_t i = 0; i < process->threads.count; i++)
        prof_tap_thread_end(table_row(&process->threads, i));
    prof_address_space_fini(&process->space);
    prof_frame_cache_fini(&process->frames);
    prof_code_destroy(process->code);
    prof_tap_mapped_fini(&process->mapped);
    table_fini(&process->threads);
    index_fini(&process->by_tid);
    free(process);
}

/*
 * What the process has used, by its CPU clock. Between the last reading and the
 * end the samples tell; of one whose clock was never read, nothing does.
 */
static uint64_t used_ns(const struct prof_tap_process *process)
{
    if (process->clock_ns <= process->begin_ns)
        return 0;
    uint64_t since_ns =
        process->is_replaced ? 0 : process->given_ns - process->given_then_ns;
    return process->clock_ns - process->begin_ns + since_ns;
}

static void leave_rest(struct prof_tap_process *process, uint64_t time_ns)
{
    struct prof_tap_rest rest = {
        .process = process->heir_process,
        .thread = process->heir_thread,
        .time_ns = time_ns,
        .given_ns = process->given_ns,
        .used_ns = used_ns(process)};
    if (process->is_latent && rest.used_ns == 0)
        return;
    if (!process->is_latent) {
        const struct prof_tap_thread *first =
            process->threads.count > 0
                ? table_row(&process->threads, 0)
                : prof_tap_process_thread(process, process->pid);
        rest.process = process->process;
        rest.thread = first != NULL ? first->thread : PROF_NONE;
    }
    (void)table_add(&process->common->rests, &rest);
}

void prof_tap_process_drop(struct prof_tap_process **at, uint64_t time_ns)
{
    struct prof_tap_process *process = *at;
    *at = process->next;
    struct prof_tap_common *common = process->common;
    prof_looks_destroy(process->looks);
    process->looks = NULL;
    /* Of one that is gone it would be the clock of who has its number now. */
    bool is_read = process->is_replaced ||
                   (!process->is_gone && prof_tap_process_read_clock(process));
    if (!is_read && process->clock_ns == 0)
        common->unread_count++;
    leave_rest(process, time_ns);
    if (process->process != PROF_NONE)
        prof_profile_edit_process(common->profile, process->process)->end_ns =
            time_ns;
    free_process(process);
}

/* ---- threads ---- */

static bool same_tid(const void *owner, uint32_t id, const void *key)
{
    const struct prof_tap_process *process = owner;
    const struct prof_tap_thread *thread = table_row(&process->threads, id);
    return thread->tid == *(const uint32_t *)key && !thread->has_ended;
}

struct prof_tap_thread *prof_tap_process_known_thread(
    const struct prof_tap_process *process, uint32_t tid)
{
    uint32_t id =
        index_find(&process->by_tid, hash_u64(tid), same_tid, process, &tid);
    return id != TABLE_NONE ? table_row(&process->threads, id) : NULL;
}

struct prof_tap_thread *prof_tap_process_thread(
    struct prof_tap_process *process, uint32_t tid)
{
    struct prof_tap_thread *known = prof_tap_process_known_thread(process, tid);
    if (known != NULL)
        return known;

    struct prof_profile *profile = process->common->profile;
    appear(process);
    struct prof_thread row = {
        .process = process->process,
        .tid = tid,
        .name = prof_process_files_thread_name(profile, process->pid, tid)};
    if (row.name == 0 && process->process != PROF_NONE)
        row.name = prof_profile_process(profile, process->process)->name;
    struct prof_tap_thread added = {
        .tid = tid, .thread = prof_profile_add_thread(profile, &row)};
    if (process->common->is_by_thread)
        added.begin_ns = added.clock_ns = prof_thread_cpu_ns(process->pid, tid);
    uint32_t id = table_add(&process->threads, &added);
    if (id == TABLE_NONE || !index_add(&process->by_tid, hash_u64(tid), id))
        return NULL;
    return table_row(&process->threads, id);
}

struct prof_tap_thread *prof_tap_process_watched_thread(
    struct prof_tap_process *process, uint32_t tid)
{
    if (tid == PROF_TAP_TID_GONE && process->last_ended != TABLE_NONE)
        return table_row(&process->threads, process->last_ended);
    if (tid == PROF_TAP_TID_GONE)
        tid = process->pid; /* who ended was never met */
    return process->common->is_by_thread
               ? prof_tap_process_known_thread(process, tid)
               : prof_tap_process_thread(process, tid);
}

void prof_tap_thread_end(struct prof_tap_thread *thread)
{
    if (thread->known != NULL)
        prof_known_stack_fini(thread->known);
    free(thread->known);
    thread->known = NULL;
    thread->has_ended = true;
}

void prof_tap_process_end_thread(struct prof_tap_process *process, uint32_t tid)
{
    uint32_t id =
        index_find(&process->by_tid, hash_u64(tid), same_tid, process, &tid);
    if (id == TABLE_NONE)
        return;
    prof_tap_thread_end(table_row(&process->threads, id));
    process->last_ended = id;
}
