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
 * Who was interrupted stops where it was, as soon as it runs again: among many,
 * that may not be at once. It is not held meanwhile, and to give it up would
 * favour who sleeps, which is copied at once.
 */
#define PATIENCE_NS UINT64_C(1000000000)

/*
 * The scheduler's clock may go on between who left and who came, if it has
 * looked for others meanwhile: it does where one falls asleep.
 */
#define BREATH_NS   UINT64_C(2000)

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

/* A holding that was late may not be over. */
static bool is_free(struct prof_roster_thread *thread)
{
    struct proc_status status;
    if (thread->is_late)
        thread->is_late = proc_status_read(&status, thread->pid, thread->tid) &&
                          proc_status_number(&status, "TracerPid") != 0;
    return !thread->is_late;
}

static struct prof_roster_thread *thread_at(
    const struct prof_catch *catch, uint32_t i)
{
    uint32_t count = catch->threads->count;
    return table_row(catch->threads, (catch->first + i) % count);
}

/* When a thread was last here and when we came, by this processor's clock. */
struct arrival {
    uint64_t came_ns;  /* 0: it is not told, or we are elsewhere */
    uint64_t first_ns; /* of who is looked at first */
};

/*
 * Who was caught last is asked before all else: if it has begun a brief sleep,
 * it may be on another processor some microseconds later.
 */
static struct arrival await_moment(const struct prof_catch *catch)
{
    struct arrival arrival = {0};
    struct prof_task_limit limit = {.most = PROF_TASK_FILES};
    struct prof_task_files files;
    prof_task_files_init(
        &files, (uint32_t)getpid(), (uint32_t)gettid(), &limit);
    const struct timespec when = {
        .tv_sec = (time_t)(catch->moment_ns / 1000000000u),
        .tv_nsec = (long)(catch->moment_ns % 1000000000u)};
    (void)prof_task_read_turn(&files); /* opens it */
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL) ==
           EINTR)
        ;
    if (catch->threads->count > 0)
        arrival.first_ns = prof_task_read_turn(&thread_at(catch, 0)->files);
    arrival.came_ns = prof_task_read_turn(&files);
    prof_task_files_fini(&files);
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
    for (uint32_t i = 0; i < catch->threads->count && least_ns > 0; i++) {
        struct prof_roster_thread *thread = thread_at(catch, i);
        if (i > 0 && !has_run(thread))
            continue;
        uint64_t turn_ns =
            i == 0 ? arrival->first_ns : prof_task_read_turn(&thread->files);
        if (arrival->came_ns - turn_ns < least_ns && is_free(thread)) {
            least_ns = arrival->came_ns - turn_ns;
            found = thread;
        }
    }
    return found;
}

/* Who seems to run, from the one on that was caught last. */
static struct prof_roster_thread *find_running(const struct prof_catch *catch)
{
    for (uint32_t i = 1; i <= catch->threads->count; i++) {
        struct prof_roster_thread *thread = thread_at(catch, i);
        if (has_run(thread) && is_free(thread) &&
            prof_task_read_state(&thread->files) == PROF_STATE_ON_CPU)
            return thread;
    }
    return NULL;
}

static void copy_stack(struct prof_catch *catch)
{
    catch->stack_bytes = prof_process_copy(
        (pid_t) catch->thread->tid, catch->regs.value[PROF_REG_SP],
        catch->stack, sizeof catch->stack);
}

/*
 * True when it is to be held; else its stack is copied as it sleeps. Stack
 * pointer and pc are all that is told of it then.
 */
static bool is_at_work(struct prof_catch *catch)
{
    struct prof_task_files *files = &catch->thread->files;
    struct prof_task_at at;
    struct prof_look before, after;
    if (!prof_task_read_usage(files, &before))
        return false;
    if (prof_task_read_place(files, &at) != PROF_TASK_ASLEEP)
        return true;
    catch->regs.known = 0;
    prof_regs_set(&catch->regs, PROF_REG_SP, at.sp);
    prof_regs_set(&catch->regs, PROF_REG_PC, at.pc);
    copy_stack(catch);
    /* Else it does something else by now. */
    if (prof_task_read_usage(files, &after) && after.runs == before.runs)
        catch->cpu_ns = after.cpu_ns;
    return false;
}

static bool choose(void *owner, uint32_t *tid, uint64_t *since_ns)
{
    struct prof_catch *catch = owner;
    const struct arrival arrival = await_moment(catch);
    *since_ns = clock_now_ns(CLOCK_MONOTONIC);
    catch->thread = arrival.came_ns != 0 ? find_before(catch, &arrival)
                                         : find_running(catch);
    if (catch->thread == NULL)
        return false;
    const struct prof_roster_thread *rows = catch->threads->rows;
    catch->first = (uint32_t)(catch->thread - rows);
    *tid = catch->thread->tid;
    return is_at_work(catch);
}

/*
 * While it is held. Its clock is read from the file that was opened for it, if
 * descriptors suffice: were its id another thread's by now, there would be
 * nothing to read.
 */
static void copy_held(void *owner, const struct prof_regs *regs)
{
    struct prof_catch *catch = owner;
    struct prof_look look;
    if (!prof_task_read_usage(&catch->thread->files, &look))
        return;
    catch->cpu_ns = look.cpu_ns;
    catch->regs = *regs;
    copy_stack(catch);
    if (!catch->wants_chain(catch->owner, catch->thread->pid))
        return;
    catch->chain[0] = (uint64_t)PERF_CONTEXT_USER;
    catch->chain_count =
        1 + prof_frame_chain_read(
                (pid_t) catch->thread->tid, regs, catch->chain + 1);
}

enum prof_hold_end prof_catch_run(
    struct prof_catch *catch, struct prof_hold *hold)
{
    *hold = (struct prof_hold){
        .is_running = true,
        .processor = catch->processor,
        .choose = choose,
        .patience_ns = PATIENCE_NS,
        .visit = copy_held,
        .owner = catch};
    catch->thread = NULL;
    catch->cpu_ns = catch->chain_count = catch->stack_bytes = 0;
    enum prof_hold_end end = prof_tracee_hold(hold);
    if (catch->thread != NULL)
        catch->thread->is_late = end == PROF_HOLD_LATE;
    return end;
}
