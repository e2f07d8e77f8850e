/* Processes and threads as records tell of them. */
#include "profiler/recording/perf_people.h"

/* What a thread id of a pid is at the moment. */
struct live_thread {
    uint32_t pid, tid;
    uint32_t row;     /* the profile's */
    uint32_t process; /* that the row belongs to */
};

void prof_perf_people_init(
    struct prof_perf_people *people, struct prof_profile *profile)
{
    *people = (struct prof_perf_people){.profile = profile};
    people->image.row_bytes = sizeof(struct prof_perf_image);
    people->thread.row_bytes = sizeof(struct live_thread);
}

void prof_perf_people_fini(struct prof_perf_people *people)
{
    for (uint32_t id = 0; id < people->image.count; id++) {
        struct prof_perf_image *image = table_row(&people->image, id);
        prof_perf_space_fini(&image->space);
    }
    table_fini(&people->image);
    table_fini(&people->thread);
    index_fini(&people->image_index);
    index_fini(&people->thread_index);
}

/* ---- images ---- */

static bool image_equal(const void *owner, uint32_t id, const void *key)
{
    const struct prof_perf_people *people = owner;
    const struct prof_perf_image *image = table_row(&people->image, id);
    return image->pid == *(const uint32_t *)key;
}

static struct prof_perf_image *find_image(
    struct prof_perf_people *people, uint32_t pid)
{
    uint32_t id = index_find(
        &people->image_index, hash_u64(pid), image_equal, people, &pid);
    return id == TABLE_NONE ? NULL : table_row(&people->image, id);
}

struct prof_perf_image *prof_perf_people_image(
    struct prof_perf_people *people, uint32_t pid)
{
    struct prof_perf_image *known = find_image(people, pid);
    if (known != NULL)
        return known;

    struct prof_process process = {.pid = pid};
    if (pid == 0)
        process.name = prof_profile_string(people->profile, "swapper");
    struct prof_perf_image image = {
        .pid = pid,
        .process = prof_profile_add_process(people->profile, &process)};
    uint32_t id = image.process == PROF_NONE
                      ? TABLE_NONE
                      : table_add(&people->image, &image);
    if (id == TABLE_NONE ||
        !index_add(&people->image_index, hash_u64(pid), id)) {
        people->is_failed = true;
        return NULL;
    }
    return table_row(&people->image, id);
}

/* End what the pid was and begin another process under it. */
static void renew_image(
    struct prof_perf_people *people, struct prof_perf_image *image,
    uint64_t time_ns)
{
    struct prof_process *old =
        prof_profile_edit_process(people->profile, image->process);
    struct prof_process fresh = {
        .pid = image->pid,
        .parent_pid = old->parent_pid,
        .name = old->name,
        .start_ns = time_ns};
    if (!image->has_samples) {
        fresh.start_ns = old->start_ns;
        *old = fresh;
        return;
    }
    old->end_ns = time_ns;
    image->process = prof_profile_add_process(people->profile, &fresh);
    image->has_samples = false;
    people->is_failed |= image->process == PROF_NONE;
}

/* ---- threads ---- */

static bool thread_equal(const void *owner, uint32_t id, const void *key)
{
    const struct prof_perf_people *people = owner;
    const struct live_thread *thread = table_row(&people->thread, id);
    const struct live_thread *wanted = key;
    return thread->pid == wanted->pid && thread->tid == wanted->tid;
}

/* A row in the profile; its name is the process's until a COMM tells more. */
static uint32_t add_thread_row(
    struct prof_perf_people *people, uint32_t process, uint32_t tid)
{
    struct prof_thread row = {
        .process = process,
        .tid = tid,
        .name = prof_profile_process(people->profile, process)->name};
    return prof_profile_add_thread(people->profile, &row);
}

uint32_t prof_perf_people_thread(
    struct prof_perf_people *people, uint32_t pid, uint32_t tid)
{
    const struct prof_perf_image *image = prof_perf_people_image(people, pid);
    if (image == NULL || image->process == PROF_NONE)
        return PROF_NONE;
    struct live_thread wanted = {
        .pid = pid, .tid = tid, .process = image->process};
    uint32_t hash = hash_u64((uint64_t)pid << 32 | tid);
    uint32_t id =
        index_find(&people->thread_index, hash, thread_equal, people, &wanted);
    if (id != TABLE_NONE) {
        struct live_thread *known = table_row(&people->thread, id);
        if (known->process != image->process) {
            known->row = add_thread_row(people, image->process, tid);
            known->process = image->process;
        }
        return known->row;
    }
    wanted.row = add_thread_row(people, image->process, tid);
    id = table_add(&people->thread, &wanted);
    if (id == TABLE_NONE || !index_add(&people->thread_index, hash, id))
        people->is_failed = true;
    return wanted.row;
}

/* ---- records ---- */

void prof_perf_people_comm(
    struct prof_perf_people *people, const struct prof_perf_event *event)
{
    struct prof_perf_image *image = prof_perf_people_image(people, event->pid);
    if (image == NULL)
        return;
    if (event->is_exec) {
        prof_perf_space_exec(&image->space, people->profile, event->time_ns);
        renew_image(people, image, event->time_ns);
    }
    uint32_t process = image->process;
    uint32_t thread = prof_perf_people_thread(people, event->pid, event->tid);
    uint32_t name =
        prof_profile_string_n(people->profile, event->name, event->name_bytes);
    if (thread == PROF_NONE || name == PROF_NONE) {
        people->is_failed = true;
        return;
    }
    prof_profile_edit_thread(people->profile, thread)->name = name;
    if (event->pid == event->tid)
        prof_profile_edit_process(people->profile, process)->name = name;
}

static void fork_process(
    struct prof_perf_people *people, const struct prof_perf_event *event)
{
    struct prof_perf_image *before = find_image(people, event->pid);
    if (before != NULL) {
        people->copies -= before->space.count < people->copies
                              ? before->space.count
                              : people->copies;
        prof_perf_space_clear(&before->space, people->profile, event->time_ns);
        renew_image(people, before, event->time_ns);
    }
    struct prof_perf_image *child = prof_perf_people_image(people, event->pid);
    if (child == NULL || child->process == PROF_NONE)
        return;
    struct prof_process *row =
        prof_profile_edit_process(people->profile, child->process);
    row->parent_pid = event->parent_pid;
    row->start_ns = event->time_ns;

    /* A parent that is not known is outside of what was recorded. */
    const struct prof_perf_image *parent =
        find_image(people, event->parent_pid);
    if (parent == NULL || parent->process == PROF_NONE)
        return;
    const struct prof_process *model =
        prof_profile_process(people->profile, parent->process);
    row->name = model->name;
    row->path = model->path;
    if (parent->space.count > PERF_PEOPLE_COPIES_MAX - people->copies)
        return;
    people->copies += parent->space.count;
    people->is_failed |= !prof_perf_space_copy(&child->space, &parent->space);
}

void prof_perf_people_fork(
    struct prof_perf_people *people, const struct prof_perf_event *event)
{
    if (event->pid != event->parent_pid)
        fork_process(people, event);
    else if (
        prof_perf_people_thread(people, event->pid, event->tid) == PROF_NONE)
        people->is_failed = true;
}

void prof_perf_people_exit(
    struct prof_perf_people *people, const struct prof_perf_event *event)
{
    const struct prof_perf_image *image = find_image(people, event->pid);
    if (image == NULL || image->process == PROF_NONE ||
        event->pid != event->tid)
        return;
    prof_profile_edit_process(people->profile, image->process)->end_ns =
        event->time_ns;
}
