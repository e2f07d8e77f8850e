/* A thread's stack from outside; see the header. */
#include "profiler/collector/sight.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/attach/glimpse.h"
#include "profiler/attach/tracee.h"
#include "profiler/base/clock.h"
#include "profiler/base/proc.h"
#include "profiler/collector/image_cache.h"
#include "profiler/collector/outside.h"
#include "profiler/collector/process_files.h"
#include "profiler/collector/task_files.h"
#include "profiler/unwind/process_reader.h"

/* A stack that is larger is walked while the thread is held. */
enum { COPY_BYTES = 262144 };

struct prof_sight {
    uint32_t pid;
    struct prof_outside *outside;
    struct prof_task_limit files;
    struct prof_glimpser *glimpser;
    bool is_perf_refused;
    bool is_filtered; /* by seccomp */
    struct prof_sight_facts facts;

    uint32_t tid;             /* the thread at hand */
    struct prof_glimpse copy; /* of it, while it was held */
    uint8_t copied[COPY_BYTES];
    struct prof_sight_stack seen, held;
    const struct prof_sight_stack *best; /* of the two; NULL: none */
};

struct prof_sight *prof_sight_create(
    uint32_t pid, struct prof_image_cache *images)
{
    struct prof_sight *sight = calloc(1, sizeof *sight);
    if (sight == NULL)
        return NULL;
    sight->pid = pid;
    sight->outside = prof_outside_create(pid, images);
    sight->glimpser = prof_glimpser_create();
    sight->files = prof_task_limit_make();
    sight->is_filtered = prof_process_files_status(pid, "Seccomp") != 0;
    if (sight->outside == NULL || sight->glimpser == NULL) {
        prof_sight_destroy(sight);
        return NULL;
    }
    (void)prof_outside_prepare(sight->outside, 0);
    return sight;
}

void prof_sight_destroy(struct prof_sight *sight)
{
    if (sight == NULL)
        return;
    prof_outside_destroy(sight->outside);
    prof_glimpser_destroy(sight->glimpser);
    free(sight);
}

static bool is_whole(const struct prof_sight_stack *stack)
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
    struct prof_sight *sight, const struct prof_regs *regs,
    const struct prof_glimpse *copy, struct prof_sight_stack *stack)
{
    struct prof_outside_place place = {.tid = sight->tid, .regs = regs};
    if (copy != NULL) {
        place.stack = copy->stack;
        place.stack_bytes = copy->stack_bytes;
    }
    stack->walk = (struct prof_walk){
        .frames = stack->frames, .capacity = PROF_SIGHT_FRAMES};
    if (!prof_outside_walk(sight->outside, &place, &stack->walk))
        return false;
    sight->best = stack;
    return true;
}

/* Copy while the thread is held, to walk when it is not: the shortest hold. */
static void copy_stack(void *owner, const struct prof_regs *regs)
{
    struct prof_sight *sight = owner;
    struct prof_glimpse *copy = &sight->copy;
    copy->regs = *regs;
    copy->stack = sight->copied;
    copy->stack_bytes = prof_process_copy(
        (pid_t)sight->tid, regs->value[PROF_REG_SP], sight->copied,
        sizeof sight->copied);
}

/* Where the copy was too short, or nothing could be copied. */
static void walk_now(void *owner, const struct prof_regs *regs)
{
    struct prof_sight *sight = owner;
    (void)walk(sight, regs, NULL, &sight->held);
}

static void note_refusal(struct prof_sight *sight, int error)
{
    struct diag *diag = &sight->facts.refusal;
    uint32_t tracer = prof_process_files_status(sight->pid, "TracerPid");
    if (diag->status != STATUS_OK)
        return;
    if (tracer != 0)
        (void)fail(
            diag, STATUS_NOT_PERMITTED,
            "thread %" PRIu32 " cannot be held, since process %" PRIu32
            " traces it",
            sight->tid, tracer);
    else
        (void)fail(
            diag, STATUS_NOT_PERMITTED,
            "thread %" PRIu32 " cannot be held: ptrace: %s", sight->tid,
            strerror(error));
}

/* ptrace(2) refuses such a thread as it refuses one of another's. */
static bool has_ended(const struct prof_sight *sight)
{
    char state = proc_task_state(sight->pid, sight->tid);
    return state == 'X' || state == 'Z' || state == '?';
}

static bool hold(
    struct prof_sight *sight, bool is_running, prof_tracee_visit *visit)
{
    struct prof_hold hold = {
        .tid = sight->tid,
        .is_running = is_running,
        .visit = visit,
        .owner = sight};
    enum prof_hold_end end = prof_tracee_hold(&hold);
    if (end == PROF_HOLD_REFUSED && !has_ended(sight))
        note_refusal(sight, hold.error);
    if (end != PROF_HOLD_DONE)
        return false;
    sight->facts.held_count++;
    if (hold.held_ns > sight->facts.longest_hold_ns)
        sight->facts.longest_hold_ns = hold.held_ns;
    return true;
}

/* Hold the thread at hand and walk it; best becomes that stack, or stays. */
static void walk_held(struct prof_sight *sight, bool is_running)
{
    if (!hold(sight, is_running, copy_stack))
        return;
    const struct prof_glimpse *copy = &sight->copy;
    bool is_walked =
        copy->stack_bytes > 0 && walk(sight, &copy->regs, copy, &sight->held);
    if (!is_walked || sight->held.walk.end == PROF_WALK_INCOMPLETE)
        (void)hold(sight, is_running, walk_now);
}

/*
 * Walk what perf shows of the thread at hand. Where perf is refused, or its
 * copy of the stack was too short, the thread is held.
 *
 *   returns  false when the thread is about to end
 */
static bool walk_running(struct prof_sight *sight)
{
    struct prof_glimpse glimpse;
    enum prof_glimpse_end end =
        sight->is_perf_refused
            ? PROF_GLIMPSE_REFUSED
            : prof_glimpser_look(sight->glimpser, sight->tid, &glimpse);
    if (end == PROF_GLIMPSE_NOTHING || end == PROF_GLIMPSE_GONE)
        return end == PROF_GLIMPSE_NOTHING;
    sight->is_perf_refused = end == PROF_GLIMPSE_REFUSED;
    bool is_seen = end == PROF_GLIMPSE_DONE &&
                   walk(sight, &glimpse.regs, &glimpse, &sight->seen);
    if (!is_seen || sight->seen.walk.end == PROF_WALK_INCOMPLETE)
        walk_held(sight, true);
    return true;
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
    struct prof_sight *sight, struct prof_task_files *files,
    const struct prof_look *before, const struct prof_task_at *at,
    enum prof_state state)
{
    struct prof_regs regs = {.known = 0};
    prof_regs_set(&regs, PROF_REG_SP, at->sp);
    prof_regs_set(&regs, PROF_REG_PC, at->pc);
    bool is_read = walk(sight, &regs, NULL, &sight->seen);
    if (has_run(files, before)) {
        sight->best = NULL;
        return false;
    }
    /* Holding it may tell more, where that harms nobody. */
    if (is_read && !is_whole(&sight->seen) && state == PROF_STATE_SLEEPING &&
        prof_call_may_be_held(&at->call, sight->is_filtered))
        walk_held(sight, false);
    return true;
}

/*
 * A few times over, for a thread may fall asleep or wake while it is looked at.
 *
 *   returns  false when the thread is gone
 */
static bool look(
    struct prof_sight *sight, struct prof_task_files *files,
    struct prof_seen *seen)
{
    enum { TRIES = 8 };
    sight->best = NULL;
    for (int i = 0; i < TRIES && sight->best == NULL; i++) {
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
            note_refusal(sight, errno);
            return true;
        }
        if (place == PROF_TASK_RUNNING) {
            if (!walk_running(sight))
                return false;
        } else if (
            walk_asleep(sight, files, &before, &at, seen->state) &&
            sight->best == NULL) {
            return true;
        }
    }
    return true;
}

/*
 * The walk from known registers. Where a jump went astray, the call before it
 * has left its return address on top of the stack; one less is in that call.
 */
static bool walk_known(
    struct prof_sight *sight, const struct prof_sight_known *known,
    bool is_jump)
{
    struct prof_sight_stack *stack = &sight->seen;
    struct prof_process_reader memory;
    struct prof_regs regs = *known->regs;
    uint64_t return_pc = 0;
    if (!is_jump)
        return walk(sight, &regs, NULL, stack);
    prof_process_reader_init(&memory, (pid_t)known->tid);
    if (!prof_reader_load(&memory.reader, regs.value[PROF_REG_SP], &return_pc))
        return false;
    regs.value[PROF_REG_PC] = return_pc - 1;
    regs.value[PROF_REG_SP] += sizeof return_pc;
    if (!walk(sight, &regs, NULL, stack) || stack->walk.count < 2 ||
        stack->walk.count == PROF_SIGHT_FRAMES)
        return false;
    memmove(
        stack->frames + 1, stack->frames,
        stack->walk.count * sizeof *stack->frames);
    stack->frames[0] = known->regs->value[PROF_REG_PC] | PROF_FRAME_EXACT;
    stack->walk.count++;
    return true;
}

void prof_sight_look_at_known(
    struct prof_sight *sight, const struct prof_sight_known *known,
    struct prof_seen *seen)
{
    sight->tid = known->tid;
    seen->state = PROF_STATE_ON_CPU;
    seen->time_ns = clock_now_ns(CLOCK_MONOTONIC);
    bool is_walked = (known->is_jump && walk_known(sight, known, true)) ||
                     walk_known(sight, known, false);
    sight->best = is_walked ? &sight->seen : NULL;
    if (known->word_count == 0 || known->word_count > PROF_SIGHT_FRAMES ||
        (is_walked && (is_whole(&sight->seen) ||
                       (!known->is_complete &&
                        sight->seen.walk.count >= known->word_count))))
        return;
    struct prof_sight_stack *told = &sight->held;
    memcpy(
        told->frames, known->words, known->word_count * sizeof *known->words);
    told->walk.count = known->word_count;
    told->walk.end =
        known->is_complete ? PROF_WALK_COMPLETE : PROF_WALK_INCOMPLETE;
    sight->best = told;
}

bool prof_sight_look(
    struct prof_sight *sight, uint32_t tid, struct prof_seen *seen)
{
    struct prof_task_files files;
    sight->tid = tid;
    prof_task_files_init(&files, sight->pid, tid, &sight->files);
    bool is_there = look(sight, &files, seen);
    prof_task_files_fini(&files);
    return is_there;
}

const struct prof_sight_stack *prof_sight_stack(const struct prof_sight *sight)
{
    return sight->best;
}

struct prof_sight_facts prof_sight_facts(const struct prof_sight *sight)
{
    return sight->facts;
}
