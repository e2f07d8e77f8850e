/* Catching a thread at work; see the header. */
#include "profiler/tap/catch.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

#include "profiler/base/clock.h"
#include "profiler/base/proc.h"
#include "profiler/model/profile.h"
#include "profiler/unwind/process_reader.h"

/*
 * The scheduler's clock may go on between who left and who came, if it has
 * looked for others meanwhile: it does where one falls asleep.
 */
#define BREATH_NS UINT64_C(2000)

/* Since it was last looked at; notes that it is gone. */
static bool has_run(struct prof_roster_thread *thread)
{
    struct prof_look now;
    thread->is_gone = thread->is_gone ||
                      !prof_task_read_usage(&thread->files, &now) ||
                      now.cpu_ns < thread->looked_ns;
    if (thread->is_gone)
        return false;
    bool is_changed = now.cpu_ns != thread->looked_ns;
    thread->looked_ns = now.cpu_ns;
    return is_changed;
}

static struct prof_roster_thread *thread_at(
    const struct prof_catch *catch, uint32_t i)
{
    const struct table *threads = &catch->roster->threads;
    return table_row(threads, (catch->first + i) % threads->count);
}

/* When a thread was last here and when we came, by this processor's clock. */
struct arrival {
    uint64_t came_ns;  /* 0: it is not told, or we are elsewhere */
    uint64_t first_ns; /* of who is looked at first */
    bool was_asleep;   /* who is looked at first: its stack is copied */
};

static void await_moment(struct prof_catch *catch)
{
    const struct timespec when = {
        .tv_sec = (time_t)(catch->moment_ns / 1000000000u),
        .tv_nsec = (long)(catch->moment_ns % 1000000000u)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL) ==
           EINTR)
        ;
}

static void copy_stack(struct prof_catch *catch, uint32_t tid)
{
    catch->stack_bytes = prof_process_copy(
        (pid_t)tid, catch->regs.value[PROF_REG_SP], catch->stack,
        sizeof catch->stack);
}

/*
 * Copy the stack of one that sleeps; false when it does not. Stack pointer and
 * pc are all that is told of it then.
 */
static bool copy_asleep(
    struct prof_catch *catch, struct prof_roster_thread *thread)
{
    struct prof_task_at at;
    struct prof_look before, after;
    if (!prof_task_read_usage(&thread->files, &before) ||
        prof_task_read_place(&thread->files, &at) != PROF_TASK_ASLEEP)
        return false;
    catch->regs.known = 0;
    prof_regs_set(&catch->regs, PROF_REG_SP, at.sp);
    prof_regs_set(&catch->regs, PROF_REG_PC, at.pc);
    copy_stack(catch, thread->tid);
    /* Else it does something else by now. */
    if (prof_task_read_usage(&thread->files, &after) &&
        after.runs == before.runs)
        catch->cpu_ns = after.cpu_ns;
    return true;
}

/*
 * Who was caught last is asked before all else, and first of all where it
 * sleeps: if it has begun a brief sleep, it may be on another processor some
 * microseconds later, and does something else there.
 */
static struct arrival arrive(struct prof_catch *catch)
{
    struct arrival arrival = {0};
    if (catch->roster->threads.count > 0) {
        struct prof_roster_thread *first = thread_at(catch, 0);
        arrival.was_asleep = copy_asleep(catch, first);
        arrival.first_ns = prof_task_read_turn(&first->files);
    }
    arrival.came_ns = prof_task_read_turn(&catch->own);
    if (sched_getcpu() != (int)catch->processor)
        arrival.came_ns = 0;
    return arrival;
}

/* Who left the processor when we came. */
static struct prof_roster_thread *find_before(
    const struct prof_catch *catch, const struct arrival *arrival)
{
    struct prof_roster_thread *found = NULL;
    uint64_t least_ns = BREATH_NS + 1;
    uint32_t count = catch->roster->threads.count;
    for (uint32_t i = 0; i < count && least_ns > 0; i++) {
        struct prof_roster_thread *thread = thread_at(catch, i);
        if (i > 0 && !has_run(thread))
            continue;
        uint64_t turn_ns =
            i == 0 ? arrival->first_ns : prof_task_read_turn(&thread->files);
        if (arrival->came_ns - turn_ns < least_ns && !thread->is_held) {
            least_ns = arrival->came_ns - turn_ns;
            found = thread;
        }
    }
    return found;
}

/* Who seems to run, from the one on that was caught last. */
static struct prof_roster_thread *find_running(const struct prof_catch *catch)
{
    for (uint32_t i = 1; i <= catch->roster->threads.count; i++) {
        struct prof_roster_thread *thread = thread_at(catch, i);
        if (has_run(thread) && !thread->is_held &&
            prof_task_read_state(&thread->files) == PROF_STATE_ON_CPU)
            return thread;
    }
    return NULL;
}

/* What is told of a thread that is to be held, apart from the roster, which may
 * be another by the time it has stopped. */
struct held {
    struct prof_catch *catch;
    struct prof_task_files files;
    bool has_chain;
};

/*
 * Its files are opened anew while the roster's are still those of a thread that
 * lives: were its id another thread's when it is held, there would be nothing
 * to read.
 */
static bool is_there(struct held *held, struct prof_roster_thread *thread)
{
    struct prof_look look;
    prof_task_files_init(
        &held->files, thread->pid, thread->tid, &held->catch->limit);
    return prof_task_read_usage(&held->files, &look) &&
           prof_task_read_usage(&thread->files, &look);
}

/* True when there is one to be held. */
static bool choose(struct prof_catch *catch, struct held *held)
{
    const struct arrival arrival = arrive(catch);
    struct prof_roster_thread *thread = arrival.came_ns != 0
                                            ? find_before(catch, &arrival)
                                            : find_running(catch);
    bool is_copied = arrival.was_asleep && thread == thread_at(catch, 0);
    if (!is_copied)
        catch->cpu_ns = 0;
    if (thread == NULL)
        return false;
    const struct prof_roster_thread *rows = catch->roster->threads.rows;
    catch->first = (uint32_t)(thread - rows);
    catch->pid = thread->pid;
    catch->tid = thread->tid;
    thread->is_held = true;
    held->has_chain = thread->has_chain;
    return !is_copied && !copy_asleep(catch, thread) && is_there(held, thread);
}

static void copy_held(void *owner, const struct prof_regs *regs)
{
    struct held *held = owner;
    struct prof_catch *catch = held->catch;
    struct prof_look look;
    if (!prof_task_read_usage(&held->files, &look))
        return;
    catch->cpu_ns = look.cpu_ns;
    catch->regs = *regs;
    copy_stack(catch, catch->tid);
    if (!held->has_chain)
        return;
    catch->chain[0] = (uint64_t)PERF_CONTEXT_USER;
    catch->chain_count =
        1 + prof_frame_chain_read((pid_t) catch->tid, regs, catch->chain + 1);
}

void prof_catch_begin(struct prof_catch *catch)
{
    catch->limit = (struct prof_task_limit){.most = 2 * PROF_TASK_FILES};
    prof_task_files_init(
        &catch->own, (uint32_t)getpid(), (uint32_t)gettid(), &catch->limit);
    (void)prof_task_read_turn(&catch->own); /* opens it */
}

void prof_catch_end(struct prof_catch *catch)
{
    prof_task_files_fini(&catch->own);
}

void prof_catch_run(struct prof_catch *catch)
{
    struct held held = {.catch = catch};
    struct prof_hold hold = {
        .is_running = true, .visit = copy_held, .owner = &held};
    prof_task_files_init(&held.files, 0, 0, &catch->limit);
    catch->end = PROF_HOLD_NOBODY;
    catch->pid = catch->tid = 0;
    catch->held_ns = catch->cpu_ns = 0;
    catch->chain_count = catch->stack_bytes = 0;
    await_moment(catch);
    hold.since_ns = clock_now_ns(CLOCK_MONOTONIC);
    if (pthread_mutex_trylock(&catch->roster->gate) != 0)
        return;
    bool is_chosen = choose(catch, &held);
    (void)pthread_mutex_unlock(&catch->roster->gate);
    hold.tid = catch->tid;
    if (is_chosen)
        catch->end = prof_tracee_hold_here(&hold);
    catch->held_ns = hold.held_ns;
    catch->error = hold.error;
    prof_task_files_fini(&held.files);
}
