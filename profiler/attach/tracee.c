/* Holding a thread; see the header. */
#include "profiler/attach/tracee.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>

#include "profiler/attach/urgency.h"
#include "profiler/base/clock.h"
#include "profiler/base/proc.h"

/* A thread in the kernel stops when it leaves; most of the time that is at
 * once. A longer wait is for one that has begun to sleep deeply. */
#define PATIENCE_NS UINT64_C(20000000)

/* Or for one that wants to run and may not, among many: it will stop. */
#define TURN_NS     UINT64_C(2000000000)

#define SOON_NS     UINT64_C(200000)

#define LATE_NS     UINT64_C(2000000)

enum { SHORT_PAUSE_NS = 5000, LONG_PAUSE_NS = 20000, LATE_PAUSE_NS = 100000 };

enum progress {
    CHOOSING,  /* whom to hold */
    WAITING,   /* for the thread to stop */
    VISITING,  /* it has */
    ABANDONED, /* who asked went on: what was begun is ended without him */
    ENDED,
};

/* Of the thread that holds, if it is abandoned; else of who asked. */
struct holding {
    struct prof_hold hold;
    enum prof_hold_end end;
    _Atomic int progress;
    sem_t ended;
};

static _Atomic unsigned abandoned_count;

static bool advance(struct holding *holding, int from, int to)
{
    return atomic_compare_exchange_strong(&holding->progress, &from, to);
}

static bool wants_to_run(pid_t tid)
{
    char state = proc_task_state((uint32_t)tid, (uint32_t)tid);
    return state == 'R' || state == 't'; /* 't': it has stopped by now */
}

/*
 * `last_ns`: out: the last time at which it had not stopped yet. There is a
 * pause first: where it can only run when we do not, it stops in that.
 */
static enum prof_hold_end wait_for_stop(
    pid_t tid, int *status, uint64_t *last_ns)
{
    uint64_t since_ns = clock_now_ns(CLOCK_MONOTONIC), passed_ns = 0;
    for (;;) {
        /* Not sched_yield(): among many that run, the kernel would let us wait
         * for some milliseconds, and with us the thread that has stopped. */
        const struct timespec pause = {
            .tv_nsec = passed_ns < SOON_NS   ? SHORT_PAUSE_NS
                       : passed_ns < LATE_NS ? LONG_PAUSE_NS
                                             : LATE_PAUSE_NS};
        (void)nanosleep(&pause, NULL);
        uint64_t now_ns = clock_now_ns(CLOCK_MONOTONIC);
        pid_t got = waitpid(tid, status, __WALL | WNOHANG);
        if (got == tid)
            return WIFSTOPPED(*status) ? PROF_HOLD_DONE : PROF_HOLD_GONE;
        if (got < 0 && errno != EINTR)
            return PROF_HOLD_GONE;
        *last_ns = now_ns;
        passed_ns = now_ns - since_ns;
        if (passed_ns > TURN_NS ||
            (passed_ns > PATIENCE_NS && !wants_to_run(tid)))
            return PROF_HOLD_LATE;
    }
}

static enum prof_hold_end hold_thread(struct holding *holding)
{
    struct prof_hold *hold = &holding->hold;
    uint64_t since_ns = clock_now_ns(CLOCK_MONOTONIC);
    if (hold->choose != NULL &&
        (!hold->choose(hold->owner, &hold->tid, &since_ns) ||
         !advance(holding, CHOOSING, WAITING)))
        return PROF_HOLD_NOBODY;
    pid_t tid = (pid_t)hold->tid;
    if (ptrace(PTRACE_SEIZE, tid, NULL, NULL) != 0) {
        hold->error = errno;
        return errno == ESRCH ? PROF_HOLD_GONE : PROF_HOLD_REFUSED;
    }
    int status;
    if (ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) != 0)
        return PROF_HOLD_GONE;
    enum prof_hold_end end = wait_for_stop(tid, &status, &since_ns);
    if (end != PROF_HOLD_DONE)
        return end;

    /* A signal on its way stops the thread before we do, and goes on with it.
     */
    bool is_ours = status >> 16 == PTRACE_EVENT_STOP;
    long signal = is_ours ? 0 : WSTOPSIG(status);
    if (is_ours)
        prof_tracee_mend_call(hold->tid, hold->is_running);
    struct prof_regs regs;
    bool is_there = advance(holding, WAITING, VISITING) &&
                    prof_tracee_registers(hold->tid, &regs);
    if (is_there)
        hold->visit(hold->owner, &regs);
    (void)ptrace(PTRACE_DETACH, tid, NULL, signal);
    hold->held_ns = clock_now_ns(CLOCK_MONOTONIC) - since_ns;
    return is_there ? PROF_HOLD_DONE : PROF_HOLD_GONE;
}

/*
 * While it is held, a thread of the program waits for us, and we for the
 * processor: before all others, where the system lets us.
 * Elsewhere we ask for little at a time, which since Linux 6.12 is a reason to
 * go before who runs.
 */
static void hurry(void)
{
    prof_urgency_keep();
    (void)prctl(PR_SET_TIMERSLACK, 1UL); /* pauses as short as they say */
}

/* Fails where that processor is not ours to use. */
static void move_to(uint32_t processor)
{
    cpu_set_t *set = CPU_ALLOC(processor + 1);
    size_t bytes = CPU_ALLOC_SIZE(processor + 1);
    if (set == NULL)
        return;
    CPU_ZERO_S(bytes, set);
    CPU_SET_S(processor, bytes, set);
    (void)sched_setaffinity(0, bytes, set);
    CPU_FREE(set);
}

static void *run_holding(void *owner)
{
    struct holding *holding = owner;
    hurry();
    if (holding->hold.choose != NULL)
        move_to(holding->hold.processor);
    holding->end = hold_thread(holding);
    if (atomic_exchange(&holding->progress, ENDED) != ABANDONED) {
        (void)sem_post(&holding->ended);
        return NULL;
    }
    free(holding);
    (void)atomic_fetch_sub(&abandoned_count, 1);
    return NULL;
}

/* False when patience was at its end first. */
static bool is_at_end(struct holding *holding, uint64_t patience_ns)
{
    uint64_t until_ns = clock_now_ns(CLOCK_MONOTONIC) + patience_ns;
    const struct timespec until = {
        .tv_sec = (time_t)(until_ns / 1000000000u),
        .tv_nsec = (long)(until_ns % 1000000000u)};
    int error;
    do
        error = patience_ns == 0
                    ? sem_wait(&holding->ended)
                    : sem_clockwait(&holding->ended, CLOCK_MONOTONIC, &until);
    while (error != 0 && errno == EINTR);
    return error == 0;
}

/* False when patience was at its end first, and the holding is abandoned. */
static bool wait_for_end(struct holding *holding, uint64_t patience_ns)
{
    do { /* choosing has an end of its own */
        if (is_at_end(holding, patience_ns))
            return true;
    } while (atomic_load(&holding->progress) == CHOOSING);
    (void)atomic_fetch_add(&abandoned_count, 1);
    if (advance(holding, WAITING, ABANDONED))
        return false;
    (void)atomic_fetch_sub(&abandoned_count, 1);
    while (sem_wait(&holding->ended) != 0)
        ; /* it is about to be */
    return true;
}

enum prof_hold_end prof_tracee_hold(struct prof_hold *hold)
{
    pthread_t thread;
    struct holding *holding = calloc(1, sizeof *holding);
    hold->held_ns = 0;
    hold->error = 0;
    if (holding == NULL)
        return PROF_HOLD_FAILED;
    holding->hold = *hold;
    holding->progress = hold->choose != NULL ? CHOOSING : WAITING;
    (void)sem_init(&holding->ended, 0, 0);
    if (pthread_create(&thread, NULL, run_holding, holding) != 0) {
        free(holding);
        return PROF_HOLD_FAILED;
    }
    if (!wait_for_end(holding, hold->patience_ns)) {
        (void)pthread_detach(thread);
        return PROF_HOLD_LATE;
    }
    (void)pthread_join(thread, NULL);
    enum prof_hold_end end = holding->end;
    *hold = holding->hold;
    free(holding);
    return end;
}

void prof_tracee_settle(void)
{
    static const struct timespec pause = {.tv_nsec = 1000000};
    uint64_t since_ns = clock_now_ns(CLOCK_MONOTONIC);
    while (atomic_load(&abandoned_count) > 0 &&
           clock_now_ns(CLOCK_MONOTONIC) - since_ns < 2 * TURN_NS)
        (void)nanosleep(&pause, NULL);
}
