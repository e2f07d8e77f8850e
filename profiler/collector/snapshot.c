/* Stacks of all threads, once; see the header. */
#include "profiler/collector/snapshot.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "profiler/attach/reach.h"
#include "profiler/base/clock.h"
#include "profiler/base/proc.h"
#include "profiler/collector/address_space.h"
#include "profiler/collector/image_cache.h"
#include "profiler/collector/process_files.h"

/* Of all stacks together: a process may make threads only to exhaust us. */
enum { WORDS_MAX = 8388608, LISTINGS_MAX = 16 };

/* What was found of one thread. */
struct row {
    uint32_t tid;
    uint32_t name; /* string of the profile */
    struct prof_seen seen;
    bool is_truncated;
    uint32_t first_word, word_count; /* of the stacks' words */
};

struct taking {
    struct prof_snapshot *snapshot;
    struct prof_sight *sight;
    struct table rows, words; /* struct row, uint64_t */
    struct index by_tid;
};

/* ---- one thread ---- */

static void keep_stack(
    struct taking *taking, const struct prof_sight_stack *stack,
    struct row *row)
{
    const struct prof_walk *walk = &stack->walk;
    enum prof_loss loss = PROF_LOSS_INCOMPLETE;
    if (taking->words.count > WORDS_MAX - walk->count) {
        loss = PROF_LOSS_CUT;
    } else {
        row->first_word =
            table_add_many(&taking->words, stack->frames, walk->count);
        row->word_count = row->first_word != TABLE_NONE ? walk->count : 0;
        row->is_truncated = walk->end != PROF_WALK_COMPLETE;
        if (!row->is_truncated)
            return;
        if (walk->end == PROF_WALK_CUT)
            loss = PROF_LOSS_CUT;
    }
    prof_profile_add_loss(taking->snapshot->profile, loss, 1);
}

static void add_thread(struct taking *taking, uint32_t tid)
{
    const struct prof_snapshot *snapshot = taking->snapshot;
    struct row row = {.tid = tid};
    row.name =
        prof_process_files_thread_name(snapshot->profile, snapshot->pid, tid);
    if (snapshot->known != NULL && snapshot->known->tid == tid)
        prof_sight_look_at_known(taking->sight, snapshot->known, &row.seen);
    else if (!prof_sight_look(taking->sight, tid, &row.seen))
        return;
    const struct prof_sight_stack *stack = prof_sight_stack(taking->sight);
    if (stack != NULL)
        keep_stack(taking, stack, &row);
    (void)table_add(&taking->rows, &row);
}

/* ---- all of them ---- */

static bool same_tid(const void *owner, uint32_t id, const void *key)
{
    const struct table *listed = owner;
    return *(uint32_t *)table_row(listed, id) == *(const uint32_t *)key;
}

/* Threads that were not listed before; false when there are none. */
static bool list_more(struct taking *taking, struct table *listed)
{
    struct proc_tasks tasks;
    uint32_t before = listed->count, tid;
    if (!proc_tasks_open(&tasks, taking->snapshot->pid))
        return false;
    while (proc_tasks_next(&tasks, &tid)) {
        uint32_t hash = hash_u64(tid);
        if (index_find(&taking->by_tid, hash, same_tid, listed, &tid) !=
            TABLE_NONE)
            continue;
        uint32_t id = table_add(listed, &tid);
        if (id == TABLE_NONE || !index_add(&taking->by_tid, hash, id))
            break;
    }
    proc_tasks_close(&tasks);
    return listed->count > before;
}

/* Threads make threads while we look: until a list has nobody new. */
static void add_threads(struct taking *taking)
{
    const struct prof_sight_known *known = taking->snapshot->known;
    struct table listed = {.row_bytes = sizeof(uint32_t)};
    uint32_t next = 0;
    if (known != NULL)
        add_thread(taking, known->tid);
    for (int i = 0; i < LISTINGS_MAX && list_more(taking, &listed); i++) {
        for (; next < listed.count; next++) {
            uint32_t tid = *(uint32_t *)table_row(&listed, next);
            if (known == NULL || known->tid != tid)
                add_thread(taking, tid);
        }
    }
    table_fini(&listed);
}

/* ---- into the profile ---- */

static void add_samples(
    struct taking *taking, struct prof_address_space *space, uint32_t value)
{
    struct prof_profile *profile = taking->snapshot->profile;
    for (uint32_t i = 0; i < taking->rows.count; i++) {
        const struct row *row = table_row(&taking->rows, i);
        struct prof_thread thread = {
            .process = space->process, .tid = row->tid, .name = row->name};
        struct prof_sample sample = {
            .time_ns = row->seen.time_ns,
            .thread = prof_profile_add_thread(profile, &thread),
            .stack = PROF_NONE,
            .state = (uint8_t)row->seen.state,
            .flags = row->is_truncated ? PROF_SAMPLE_TRUNCATED : 0};
        for (uint32_t at = row->word_count; at-- > 0;) {
            uint64_t word =
                *(uint64_t *)table_row(&taking->words, row->first_word + at);
            uint64_t pc = prof_pc_of_word(word);
            if (word & PROF_FRAME_GUESSED)
                prof_profile_add_loss(profile, PROF_LOSS_GUESSED, 1);
            uint32_t frame = prof_address_space_frame(
                space, prof_address_space_find(space, pc, row->seen.time_ns),
                pc);
            if (frame != PROF_NONE)
                sample.stack =
                    prof_profile_add_stack(profile, sample.stack, frame);
        }
        sample.values[value] = 1;
        taking->snapshot->unseen_count += sample.stack == PROF_NONE;
        (void)prof_profile_add_sample(profile, &sample);
    }
    taking->snapshot->thread_count += taking->rows.count;
}

/* Of those asked for, the first that was not there. */
static uint32_t missing_thread(const struct taking *taking)
{
    const struct prof_snapshot *snapshot = taking->snapshot;
    uint32_t i = 0;
    while (i < taking->rows.count &&
           ((struct row *)table_row(&taking->rows, i))->tid ==
               snapshot->tids[i])
        i++;
    return snapshot->tids[i];
}

/* Where a thread stands in code that is gone, that is what it is called. */
static void recall(
    const struct prof_snapshot *snapshot, struct prof_address_space *space)
{
    const struct prof_snapshot_gone *gone = snapshot->gone;
    if (snapshot->known == NULL || gone == NULL ||
        prof_address_space_find(
            space, snapshot->known->regs->value[PROF_REG_PC],
            clock_now_ns(CLOCK_MONOTONIC)) != NULL)
        return;
    struct prof_module module = gone->module;
    module.path = prof_profile_string(space->profile, gone->path);
    prof_address_space_add(
        space, gone->start, gone->end, gone->offset, &module);
}

/* What the process has mapped: read before the walks, and once more after, for
 * what has come meanwhile. */
static enum status take_with(struct taking *taking, struct diag *diag)
{
    struct prof_snapshot *snapshot = taking->snapshot;
    struct prof_profile *profile = snapshot->profile;
    struct prof_build_ids build_ids;
    struct prof_address_space space;
    prof_build_ids_init(&build_ids);
    prof_address_space_init(
        &space, profile, &build_ids,
        prof_process_files_add(profile, snapshot->pid), snapshot->pid);

    char *before = prof_address_space_read(&space);
    for (uint32_t i = 0; i < snapshot->tid_count; i++)
        add_thread(taking, snapshot->tids[i]);
    if (snapshot->tid_count == 0)
        add_threads(taking);
    char *after = prof_address_space_read(&space);
    if (before != NULL)
        prof_address_space_apply(&space, before, 0);
    if (after != NULL)
        prof_address_space_apply(&space, after, clock_now_ns(CLOCK_MONOTONIC));
    recall(snapshot, &space);
    add_samples(
        taking, &space,
        prof_profile_add_value_type(profile, "threads", "count"));
    free(after);
    free(before);
    prof_address_space_fini(&space);
    prof_build_ids_fini(&build_ids);
    if (prof_profile_status(profile) != STATUS_OK)
        return fail(diag, STATUS_NO_MEMORY, "no memory for the stacks");
    if (taking->rows.count < snapshot->tid_count)
        return fail(
            diag, STATUS_GONE, "process %" PRIu32 " has no thread %" PRIu32,
            snapshot->pid, missing_thread(taking));
    if (taking->rows.count == 0)
        return fail(
            diag, STATUS_GONE, "process %" PRIu32 " has ended", snapshot->pid);
    return STATUS_OK;
}

static void add_facts(
    struct prof_snapshot *snapshot, const struct prof_sight *sight)
{
    struct prof_sight_facts facts = prof_sight_facts(sight);
    snapshot->held_count += facts.held_count;
    if (facts.longest_hold_ns > snapshot->longest_hold_ns)
        snapshot->longest_hold_ns = facts.longest_hold_ns;
    if (snapshot->refusal.status == STATUS_OK)
        snapshot->refusal = facts.refusal;
}

enum status prof_snapshot_take(
    struct prof_snapshot *snapshot, struct diag *diag)
{
    enum status status = prof_reach_check(snapshot->pid, diag);
    if (status != STATUS_OK)
        return status;
    struct prof_image_cache images;
    prof_image_cache_init(&images);
    struct taking taking = {
        .snapshot = snapshot,
        .sight = prof_sight_create(snapshot->pid, &images),
        .rows.row_bytes = sizeof(struct row),
        .words.row_bytes = sizeof(uint64_t)};
    if (taking.sight == NULL) {
        status = fail(diag, STATUS_NO_MEMORY, "no memory for a snapshot");
    } else {
        /* We may not die while a thread is held, if it can be helped. */
        sigset_t all, ours;
        (void)sigfillset(&all);
        (void)pthread_sigmask(SIG_SETMASK, &all, &ours);
        status = take_with(&taking, diag);
        (void)pthread_sigmask(SIG_SETMASK, &ours, NULL);
        add_facts(snapshot, taking.sight);
    }
    prof_sight_destroy(taking.sight);
    table_fini(&taking.rows);
    table_fini(&taking.words);
    index_fini(&taking.by_tid);
    prof_image_cache_fini(&images);
    return status;
}
