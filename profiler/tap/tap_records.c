/* What the kernel wrote, record by record, brought into processes. */
#include "profiler/tap/listing.h"
#include "profiler/tap/tap_model.h"

struct prof_tap_process **prof_tap_find_process(
    struct prof_tap *tap, uint32_t pid)
{
    return prof_tap_process_find(&tap->processes, pid);
}

void prof_tap_add_process(struct prof_tap *tap, struct prof_tap_process *added)
{
    if (added == NULL)
        return;
    added->next = tap->processes;
    tap->processes = added;
    tap->process_count++;
    prof_tap_filter_admit(&tap->events.filter, added->pid);
}

static void take_fork(
    struct prof_tap *tap, const struct prof_tap_record *record)
{
    struct prof_tap_process **at = prof_tap_find_process(tap, record->pid);
    struct prof_tap_process *parent =
        *prof_tap_find_process(tap, record->parent_pid);
    /* Its number has come again, before the earlier one was dropped. */
    if (record->pid != record->parent_pid && *at != NULL && (*at)->is_gone)
        prof_tap_process_drop(at, record->time_ns);
    struct prof_tap_process *process = *prof_tap_find_process(tap, record->pid);
    if (record->pid != record->parent_pid && process == NULL &&
        parent != NULL && tap->options.whom != PROF_TAP_THREADS) {
        process = prof_tap_process_fork(parent, record->pid, record->time_ns);
        prof_tap_add_process(tap, process);
        if (process != NULL)
            (void)prof_tap_process_read_clock(process);
    }
    /* Later it is made by its first sample: a thread may be too brief for one,
     * and come in any number. */
    if (process != NULL && tap->is_listing)
        (void)prof_tap_process_thread(process, record->tid);
}

static void take_exec(
    struct prof_tap *tap, const struct prof_tap_record *record)
{
    struct prof_tap_process **at = prof_tap_find_process(tap, record->pid);
    if (*at == NULL && tap->events.is_on_processors &&
        !prof_tap_named_has(&tap->named, record->pid))
        return;
    if (*at == NULL) {
        /* Our own child: it is watched from its exec on. */
        struct prof_tap_process *made =
            prof_tap_process_meet(&tap->common, record->pid);
        if (made != NULL && tap->options.whom == PROF_TAP_CHILD)
            made->begin_ns = 0;
        prof_tap_add_process(tap, made);
        return;
    }
    struct prof_tap_process *made = prof_tap_process_exec(*at, record);
    if (made == NULL)
        return;
    bool goes_on = prof_tap_process_known_thread(*at, record->tid) != NULL;
    prof_tap_process_drop(at, record->time_ns);
    prof_tap_add_process(tap, made);
    if (goes_on && tap->options.whom == PROF_TAP_THREADS)
        (void)prof_tap_process_thread(made, record->tid);
}

static void take_name(
    struct prof_tap *tap, const struct prof_tap_record *record)
{
    struct prof_profile *profile = tap->common.profile;
    struct prof_tap_process *process = *prof_tap_find_process(tap, record->pid);
    struct prof_tap_thread *thread =
        process != NULL ? prof_tap_process_watched_thread(process, record->tid)
                        : NULL;
    if (thread == NULL || thread->thread == PROF_NONE)
        return;
    uint32_t name = prof_profile_string(profile, record->name);
    prof_profile_edit_thread(profile, thread->thread)->name = name;
    if (record->tid == record->pid && process->process != PROF_NONE)
        prof_profile_edit_process(profile, process->process)->name = name;
}

static void take_sample(
    struct prof_tap *tap, struct prof_tap_process *process,
    const struct prof_tap_record *record)
{
    prof_tap_process_sample(process, record);
    if (tap->common.has_go)
        prof_tap_events_follow_frames(&tap->events);
}

/* Whoever it is, it is not watched: but who is not known yet may be. */
static void take_stranger(
    struct prof_tap *tap, const struct prof_tap_record *record)
{
    if (!tap->is_listing && !prof_tap_named_has(&tap->named, record->pid))
        prof_tap_filter_refuse(&tap->events.filter, record->pid);
}

static void take_end(struct prof_tap *tap, const struct prof_tap_record *record)
{
    if (record->tid == record->pid) /* the number may come again */
        prof_tap_filter_admit(&tap->events.filter, record->pid);
    struct prof_tap_process *process = *prof_tap_find_process(tap, record->pid);
    /* The first one's id stays in use until the process ends. */
    if (process != NULL && record->tid != record->pid)
        prof_tap_process_end_thread(process, record->tid);
}

static void take_lost(
    struct prof_tap *tap, const struct prof_tap_record *record)
{
    prof_profile_add_loss(
        tap->common.profile, PROF_LOSS_RING_FULL, record->lost);
    tap->has_lost = true;
}

static void take_record(struct prof_tap *tap, struct prof_tap_record *record)
{
    struct prof_tap_process *process = *prof_tap_find_process(tap, record->pid);
    switch (record->type) {
    case PERF_RECORD_SAMPLE:
        record->origin = prof_tap_events_origin(&tap->events, record->event);
        if (process != NULL)
            take_sample(tap, process, record);
        else
            take_stranger(tap, record);
        break;
    case PERF_RECORD_MMAP2:
        if (process != NULL)
            prof_tap_process_map(process, record);
        break;
    case PERF_RECORD_COMM:
        if (record->is_exec)
            take_exec(tap, record);
        else
            take_name(tap, record);
        break;
    case PERF_RECORD_FORK:
        take_fork(tap, record);
        break;
    case PERF_RECORD_EXIT:
        take_end(tap, record);
        break;
    default:
        take_lost(tap, record);
        break;
    }
}

/*
 * To complete a stack from a thread's memory takes system calls and a second
 * walk. In a ring so full samples are old, so that less of it is believed, and
 * others would be lost for it as a whole.
 */
#define BEHIND_SHARE 0.5

uint64_t prof_tap_take_records(struct prof_tap *tap, uint64_t limit_ns)
{
    struct prof_tap_rings *rings = &tap->events.rings;
    struct prof_tap_ring *ring;
    uint64_t count = 0;
    tap->common.is_behind = prof_tap_rings_refresh(rings) > BEHIND_SHARE;
    while ((ring = prof_tap_rings_next(rings, limit_ns)) != NULL) {
        struct prof_tap_record record;
        if (prof_tap_record_parse(
                prof_tap_ring_peek(ring, rings->copy), &record))
            take_record(tap, &record);
        prof_tap_ring_pass(ring);
        count++;
    }
    return count;
}

/* All of its time is of while we watched. */
static void meet_missed(struct prof_tap *tap, uint32_t pid)
{
    if (*prof_tap_find_process(tap, pid) != NULL)
        return;
    struct prof_tap_process *made = prof_tap_process_meet(&tap->common, pid);
    if (made != NULL)
        made->begin_ns = 0;
    prof_tap_add_process(tap, made);
}

void prof_tap_catch_up(struct prof_tap *tap)
{
    struct table rows = {.row_bytes = sizeof(struct prof_tap_listed)};
    /* On threads, one that has no event may be one there was no room for. */
    bool may_miss = tap->events.is_on_processors && !tap->is_listing &&
                    tap->options.whom != PROF_TAP_THREADS;
    for (struct prof_tap_process *at = tap->processes; at; at = at->next) {
        prof_tap_process_read_maps(at);
        if (may_miss)
            (void)prof_tap_list_tree(at->pid, &rows);
    }
    for (uint32_t i = 0; i < rows.count; i++) {
        const struct prof_tap_listed *row = table_row(&rows, i);
        meet_missed(tap, row->pid);
    }
    table_fini(&rows);
}
