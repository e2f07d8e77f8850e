/* Stacks of all threads, once; see the header. */
#include "profiler/collector/snapshot.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/attach/glimpse.h"
#include "profiler/attach/reach.h"
#include "profiler/attach/tracee.h"
#include "profiler/base/clock.h"
#include "profiler/base/proc.h"
#include "profiler/collector/address_space.h"
#include "profiler/collector/image_cache.h"
#include "profiler/collector/outside.h"
#include "profiler/collector/process_files.h"
#include "profiler/collector/task_files.h"
#include "profiler/unwind/process_reader.h"

/* A stack that is larger is walked while the thread is held. */
enum { COPY_BYTES = 262144 };

/* Of all stacks together: a process may make threads only to exhaust us. */
enum { WORDS_MAX = 8388608 };
enum { FRAMES_MAX = 8192, LISTINGS_MAX = 16 };

/* A walk and its frames. */
struct stack {
    struct prof_walk walk;
    uint64_t frames[FRAMES_MAX];
};

/* What was found of one thread. */
struct seen {
    uint32_t tid;
    uint32_t name; /* string of the profile */
    enum prof_state state;
    bool is_truncated;
    uint64_t time_ns;
    uint32_t first_word, word_count; /* of the stacks' words */
};

struct taking {
    struct prof_snapshot *snapshot;
    struct prof_outside *outside;
    struct prof_task_limit files;
    struct prof_glimpser *glimpser;
    bool is_perf_refused;
    bool is_filtered;            /* by seccomp */
    struct table threads, words; /* struct seen, uint64_t */
    struct index by_tid;

    uint32_t tid;             /* the thread at hand */
    struct prof_glimpse copy; /* of it, while it was held */
    uint8_t copied[COPY_BYTES];
    struct stack seen, held;
    const struct stack *best; /* of the two; NULL: none */
};

/* ---- one thread ---- */

static bool is_whole(const struct stack *stack)
{
    if (stack->walk.end != PROF_WALK_COMPLETE)
        return false;
    for (uint32_t i = 0; i < stack->walk.count; i++) {
        if (stack->frames[i] & PROF_FRAME_GUESSED)
            return false;
    }
    return true;
}

/*
 * Walk the thread at hand, which stands still; false when it has no stack.
 *
 *   copy     of a thread that did not; or NULL
 */
static bool walk(
    struct taking *taking, const struct prof_regs *regs,
    const struct prof_glimpse *copy, struct stack *stack)
{
    struct prof_outside_place place = {.tid = taking->tid, .regs = regs};
    if (copy != NULL) {
        place.stack = copy->stack;
        place.stack_bytes = copy->stack_bytes;
    }
    stack->walk =
        (struct prof_walk){.frames = stack->frames, .capacity = FRAMES_MAX};
    if (!prof_outside_walk(taking->outside, &place, &stack->walk))
        return false;
    taking->best = stack;
    return true;
}

/* Copy while the thread is held, to walk when it is not: the shortest hold. */
static void copy_stack(void *owner, const struct prof_regs *regs)
{
    struct taking *taking = owner;
    struct prof_glimpse *copy = &taking->copy;
    copy->regs = *regs;
    copy->stack = taking->copied;
    copy->stack_bytes = prof_process_copy(
        (pid_t)taking->tid, regs->value[PROF_REG_SP], taking->copied,
        sizeof taking->copied);
}

/* Where the copy was too short, or nothing could be copied. */
static void walk_now(void *owner, const struct prof_regs *regs)
{
    struct taking *taking = owner;
    (void)walk(taking, regs, NULL, &taking->held);
}

static void note_refusal(
    struct prof_snapshot *snapshot, uint32_t tid, int error)
{
    struct diag *diag = &snapshot->refusal;
    uint32_t tracer = prof_process_files_status(snapshot->pid, "TracerPid");
    if (diag->status != STATUS_OK)
        return;
    if (tracer != 0)
        (void)fail(
            diag, STATUS_NOT_PERMITTED,
            "thread %" PRIu32 " cannot be held, since process %" PRIu32
            " traces it",
            tid, tracer);
    else
        (void)fail(
            diag, STATUS_NOT_PERMITTED,
            "thread %" PRIu32 " cannot be held: ptrace: %s", tid,
            strerror(error));
}

static bool hold(
    struct taking *taking, bool is_running, prof_tracee_visit *visit)
{
    struct prof_snapshot *snapshot = taking->snapshot;
    struct prof_hold hold = {
        .tid = taking->tid,
        .is_running = is_running,
        .visit = visit,
        .owner = taking};
    enum prof_hold_end end = prof_tracee_hold(&hold);
    if (end == PROF_HOLD_REFUSED)
        note_refusal(snapshot, taking->tid, hold.error);
    if (end != PROF_HOLD_DONE)
        return false;
    snapshot->held_count++;
    if (hold.held_ns > snapshot->longest_hold_ns)
        snapshot->longest_hold_ns = hold.held_ns;
    return true;
}

/* Hold the thread at hand and walk it; best becomes that stack, or stays. */
static void walk_held(struct taking *taking, bool is_running)
{
    if (!hold(taking, is_running, copy_stack))
        return;
    const struct prof_glimpse *copy = &taking->copy;
    bool is_walked =
        copy->stack_bytes > 0 && walk(taking, &copy->regs, copy, &taking->held);
    if (!is_walked || taking->held.walk.end == PROF_WALK_INCOMPLETE)
        (void)hold(taking, is_running, walk_now);
}

/*
 * Walk what perf shows of the thread at hand. Where perf is refused, or its
 * copy of the stack was too short, the thread is held.
 */
static void walk_running(struct taking *taking)
{
    struct prof_glimpse glimpse;
    enum prof_glimpse_end end =
        taking->is_perf_refused
            ? PROF_GLIMPSE_REFUSED
            : prof_glimpser_look(taking->glimpser, taking->tid, &glimpse);
    if (end == PROF_GLIMPSE_NOTHING)
        return;
    taking->is_perf_refused = end == PROF_GLIMPSE_REFUSED;
    bool is_seen = end == PROF_GLIMPSE_DONE &&
                   walk(taking, &glimpse.regs, &glimpse, &taking->seen);
    if (!is_seen || taking->seen.walk.end == PROF_WALK_INCOMPLETE)
        walk_held(taking, true);
}

static bool has_run(
    struct prof_task_files *files, const struct prof_look *before)
{
    struct prof_look now;
    return !prof_task_read_usage(files, &now) || now.runs != before->runs ||
           now.cpu_ns != before->cpu_ns;
}

/* Walk a sleeper; false when it has woken meanwhile. */
static bool walk_asleep(
    struct taking *taking, struct prof_task_files *files,
    const struct prof_look *before, const struct prof_task_at *at,
    enum prof_state state)
{
    struct prof_regs regs = {.known = 0};
    prof_regs_set(&regs, PROF_REG_SP, at->sp);
    prof_regs_set(&regs, PROF_REG_PC, at->pc);
    bool is_read = walk(taking, &regs, NULL, &taking->seen);
    if (has_run(files, before)) {
        taking->best = NULL;
        return false;
    }
    /* Holding it may tell more, where that harms nobody. */
    if (is_read && !is_whole(&taking->seen) && state == PROF_STATE_SLEEPING &&
        prof_call_may_be_held(&at->call, taking->is_filtered))
        walk_held(taking, false);
    return true;
}

/*
 * A few times over, for a thread may fall asleep or wake while it is looked at.
 *
 *   returns  false when the thread is gone
 */
static bool look(
    struct taking *taking, struct prof_task_files *files, struct seen *seen)
{
    enum { TRIES = 8 };
    taking->best = NULL;
    for (int i = 0; i < TRIES && taking->best == NULL; i++) {
        struct prof_look before;
        struct prof_task_at at;
        if (!prof_task_read_usage(files, &before))
            return false;
        enum prof_task_place place = prof_task_read_place(files, &at);
        seen->state = prof_task_read_state(files);
        seen->time_ns = clock_now_ns(CLOCK_MONOTONIC);
        if (place == PROF_TASK_GONE || seen->state == PROF_STATE_UNKNOWN)
            return false;
        if (place == PROF_TASK_REFUSED) {
            note_refusal(taking->snapshot, taking->tid, errno);
            return true;
        }
        if (place == PROF_TASK_RUNNING)
            walk_running(taking);
        else if (
            walk_asleep(taking, files, &before, &at, seen->state) &&
            taking->best == NULL)
            return true;
    }
    return true;
}

/*
 * The walk from known registers. Where a jump went astray, the call before it
 * has left its return address on top of the stack; one less is in that call.
 */
static bool walk_known(
    struct taking *taking, const struct prof_snapshot_known *known,
    bool is_jump)
{
    struct stack *stack = &taking->seen;
    struct prof_process_reader memory;
    struct prof_regs regs = *known->regs;
    uint64_t return_pc = 0;
    if (!is_jump)
        return walk(taking, &regs, NULL, stack);
    prof_process_reader_init(&memory, (pid_t)known->tid);
    if (!prof_reader_load(&memory.reader, regs.value[PROF_REG_SP], &return_pc))
        return false;
    regs.value[PROF_REG_PC] = return_pc - 1;
    regs.value[PROF_REG_SP] += sizeof return_pc;
    if (!walk(taking, &regs, NULL, stack) || stack->walk.count < 2 ||
        stack->walk.count == FRAMES_MAX)
        return false;
    memmove(
        stack->frames + 1, stack->frames,
        stack->walk.count * sizeof *stack->frames);
    stack->frames[0] = known->regs->value[PROF_REG_PC] | PROF_FRAME_EXACT;
    stack->walk.count++;
    return true;
}

static void look_at_known(
    struct taking *taking, const struct prof_snapshot_known *known,
    struct seen *seen)
{
    seen->state = PROF_STATE_ON_CPU;
    seen->time_ns = clock_now_ns(CLOCK_MONOTONIC);
    bool is_walked = (known->is_jump && walk_known(taking, known, true)) ||
                     walk_known(taking, known, false);
    taking->best = is_walked ? &taking->seen : NULL;
    if (known->word_count == 0 || known->word_count > FRAMES_MAX ||
        (is_walked && (is_whole(&taking->seen) ||
                       (!known->is_complete &&
                        taking->seen.walk.count >= known->word_count))))
        return;
    struct stack *told = &taking->held;
    memcpy(
        told->frames, known->words, known->word_count * sizeof *known->words);
    told->walk.count = known->word_count;
    told->walk.end =
        known->is_complete ? PROF_WALK_COMPLETE : PROF_WALK_INCOMPLETE;
    taking->best = told;
}

static void add_thread(struct taking *taking, uint32_t tid)
{
    struct prof_snapshot *snapshot = taking->snapshot;
    struct prof_task_files files;
    struct seen seen = {.tid = tid};
    char path[64];
    (void)snprintf(
        path, sizeof path, "/proc/%" PRIu32 "/task/%" PRIu32 "/comm",
        snapshot->pid, tid);
    seen.name = prof_process_files_name(snapshot->profile, path);
    taking->tid = tid;
    if (snapshot->known != NULL && snapshot->known->tid == tid) {
        look_at_known(taking, snapshot->known, &seen);
    } else {
        prof_task_files_init(&files, snapshot->pid, tid, &taking->files);
        bool is_there = look(taking, &files, &seen);
        prof_task_files_fini(&files);
        if (!is_there)
            return;
    }

    const struct stack *best = taking->best;
    if (best != NULL && taking->words.count > WORDS_MAX - best->walk.count) {
        prof_profile_add_loss(snapshot->profile, PROF_LOSS_CUT, 1);
    } else if (best != NULL) {
        seen.first_word =
            table_add_many(&taking->words, best->frames, best->walk.count);
        seen.word_count = seen.first_word != TABLE_NONE ? best->walk.count : 0;
        seen.is_truncated = best->walk.end != PROF_WALK_COMPLETE;
        if (best->walk.end == PROF_WALK_CUT)
            prof_profile_add_loss(snapshot->profile, PROF_LOSS_CUT, 1);
        else if (seen.is_truncated)
            prof_profile_add_loss(snapshot->profile, PROF_LOSS_INCOMPLETE, 1);
    }
    (void)table_add(&taking->threads, &seen);
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
    const struct prof_snapshot_known *known = taking->snapshot->known;
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
    for (uint32_t i = 0; i < taking->threads.count; i++) {
        const struct seen *seen = table_row(&taking->threads, i);
        struct prof_thread thread = {
            .process = space->process, .tid = seen->tid, .name = seen->name};
        struct prof_sample sample = {
            .time_ns = seen->time_ns,
            .thread = prof_profile_add_thread(profile, &thread),
            .stack = PROF_NONE,
            .state = (uint8_t)seen->state,
            .flags = seen->is_truncated ? PROF_SAMPLE_TRUNCATED : 0};
        for (uint32_t at = seen->word_count; at-- > 0;) {
            uint64_t word =
                *(uint64_t *)table_row(&taking->words, seen->first_word + at);
            uint64_t pc = prof_pc_of_word(word);
            if (word & PROF_FRAME_GUESSED)
                prof_profile_add_loss(profile, PROF_LOSS_GUESSED, 1);
            uint32_t frame = prof_address_space_frame(
                space, prof_address_space_find(space, pc, seen->time_ns), pc);
            if (frame != PROF_NONE)
                sample.stack =
                    prof_profile_add_stack(profile, sample.stack, frame);
        }
        sample.values[value] = 1;
        taking->snapshot->unseen_count += sample.stack == PROF_NONE;
        (void)prof_profile_add_sample(profile, &sample);
    }
    taking->snapshot->thread_count += taking->threads.count;
}

/* Of those asked for, the first that was not there. */
static uint32_t missing_thread(const struct taking *taking)
{
    const struct prof_snapshot *snapshot = taking->snapshot;
    uint32_t i = 0;
    while (i < taking->threads.count &&
           ((struct seen *)table_row(&taking->threads, i))->tid ==
               snapshot->tids[i])
        i++;
    return snapshot->tids[i];
}

/* Where a thread stands in code that is gone, that is what it is called. */
static void recall(
    struct prof_address_space *space, const struct prof_snapshot_known *known)
{
    if (known == NULL || known->gone == NULL ||
        prof_address_space_find(
            space, known->regs->value[PROF_REG_PC],
            clock_now_ns(CLOCK_MONOTONIC)) != NULL)
        return;
    struct prof_module module = known->gone->module;
    module.path = prof_profile_string(space->profile, known->gone->path);
    prof_address_space_add(
        space, known->gone->start, known->gone->end, known->gone->offset,
        &module);
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
    (void)prof_outside_prepare(taking->outside, 0);
    for (uint32_t i = 0; i < snapshot->tid_count; i++)
        add_thread(taking, snapshot->tids[i]);
    if (snapshot->tid_count == 0)
        add_threads(taking);
    char *after = prof_address_space_read(&space);
    if (before != NULL)
        prof_address_space_apply(&space, before, 0);
    if (after != NULL)
        prof_address_space_apply(&space, after, clock_now_ns(CLOCK_MONOTONIC));
    recall(&space, snapshot->known);
    add_samples(
        taking, &space,
        prof_profile_add_value_type(profile, "threads", "count"));
    free(after);
    free(before);
    prof_address_space_fini(&space);
    prof_build_ids_fini(&build_ids);
    if (prof_profile_status(profile) != STATUS_OK)
        return fail(diag, STATUS_NO_MEMORY, "no memory for the stacks");
    if (taking->threads.count < snapshot->tid_count)
        return fail(
            diag, STATUS_GONE, "process %" PRIu32 " has no thread %" PRIu32,
            snapshot->pid, missing_thread(taking));
    if (taking->threads.count == 0)
        return fail(
            diag, STATUS_GONE, "process %" PRIu32 " has ended", snapshot->pid);
    return STATUS_OK;
}

enum status prof_snapshot_take(
    struct prof_snapshot *snapshot, struct diag *diag)
{
    enum status status = prof_reach_check(snapshot->pid, diag);
    if (status != STATUS_OK)
        return status;
    struct prof_image_cache images;
    prof_image_cache_init(&images);
    struct taking *taking = calloc(1, sizeof *taking);
    if (taking != NULL) {
        *taking = (struct taking){
            .snapshot = snapshot,
            .outside = prof_outside_create(snapshot->pid, &images),
            .glimpser = prof_glimpser_create(),
            .files = prof_task_limit_make(),
            .is_filtered =
                prof_process_files_status(snapshot->pid, "Seccomp") != 0,
            .threads.row_bytes = sizeof(struct seen),
            .words.row_bytes = sizeof(uint64_t)};
    }
    if (taking == NULL || taking->outside == NULL || taking->glimpser == NULL) {
        status = fail(diag, STATUS_NO_MEMORY, "no memory for a snapshot");
    } else {
        /* We may not die while a thread is held, if it can be helped. */
        sigset_t all, ours;
        (void)sigfillset(&all);
        (void)pthread_sigmask(SIG_SETMASK, &all, &ours);
        status = take_with(taking, diag);
        (void)pthread_sigmask(SIG_SETMASK, &ours, NULL);
    }
    if (taking != NULL) {
        prof_outside_destroy(taking->outside);
        prof_glimpser_destroy(taking->glimpser);
        table_fini(&taking->threads);
        table_fini(&taking->words);
        index_fini(&taking->by_tid);
        free(taking);
    }
    prof_image_cache_fini(&images);
    return status;
}
