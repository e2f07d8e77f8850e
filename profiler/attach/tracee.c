/* Holding a thread; see the header. */
#include "profiler/attach/tracee.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>

#include "profiler/base/clock.h"
#include "profiler/base/proc.h"

/* A thread in the kernel stops when it leaves; most of the time that is at
 * once. A longer wait is for one that has begun to sleep deeply. */
#define PATIENCE_NS UINT64_C(20000000)

/* Or for one that wants to run and may not, among many: it will stop. */
#define TURN_NS     UINT64_C(2000000000)

#define SOON_NS     UINT64_C(200000)

enum { SHORT_PAUSE_NS = 5000, LONG_PAUSE_NS = 20000 };

struct holding {
    struct prof_hold *hold;
    enum prof_hold_end end;
};

static bool wants_to_run(pid_t tid)
{
    char state = proc_task_state((uint32_t)tid, (uint32_t)tid);
    return state == 'R' || state == 't'; /* 't': it has stopped by now */
}

/* `last_ns`: out: the last time at which it had not stopped yet. */
static enum prof_hold_end wait_for_stop(
    pid_t tid, int *status, uint64_t *last_ns)
{
    uint64_t since_ns = clock_now_ns(CLOCK_MONOTONIC), now_ns = since_ns;
    for (;; now_ns = clock_now_ns(CLOCK_MONOTONIC)) {
        pid_t got = waitpid(tid, status, __WALL | WNOHANG);
        if (got == tid)
            return WIFSTOPPED(*status) ? PROF_HOLD_DONE : PROF_HOLD_GONE;
        if (got < 0 && errno != EINTR)
            return PROF_HOLD_GONE;
        *last_ns = now_ns;
        uint64_t passed_ns = now_ns - since_ns;
        if (passed_ns > TURN_NS ||
            (passed_ns > PATIENCE_NS && !wants_to_run(tid)))
            return PROF_HOLD_LATE;
        /* Not sched_yield(): among many that run, the kernel would let us wait
         * for some milliseconds, and with us the thread that has stopped. */
        const struct timespec pause = {
            .tv_nsec = passed_ns < SOON_NS ? SHORT_PAUSE_NS : LONG_PAUSE_NS};
        (void)nanosleep(&pause, NULL);
    }
}

static enum prof_hold_end hold_thread(struct prof_hold *hold)
{
    pid_t tid = (pid_t)hold->tid;
    if (ptrace(PTRACE_SEIZE, tid, NULL, NULL) != 0) {
        hold->error = errno;
        return errno == ESRCH ? PROF_HOLD_GONE : PROF_HOLD_REFUSED;
    }
    int status;
    uint64_t since_ns = clock_now_ns(CLOCK_MONOTONIC);
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
    bool is_there = prof_tracee_registers(hold->tid, &regs);
    if (is_there)
        hold->visit(hold->owner, &regs);
    (void)ptrace(PTRACE_DETACH, tid, NULL, signal);
    hold->held_ns = clock_now_ns(CLOCK_MONOTONIC) - since_ns;
    return is_there ? PROF_HOLD_DONE : PROF_HOLD_GONE;
}

/*
 * While it is held, a thread of the program waits for us, and we for the
 * processor: before all others, where the system lets us.
 */
static void hurry(void)
{
    const struct sched_param first = {.sched_priority = 1};
    (void)sched_setscheduler(0, SCHED_FIFO, &first);
    (void)prctl(PR_SET_TIMERSLACK, 1UL); /* pauses as short as they say */
}

static void *run_holding(void *owner)
{
    struct holding *holding = owner;
    hurry();
    holding->end = hold_thread(holding->hold);
    return NULL;
}

enum prof_hold_end prof_tracee_hold(struct prof_hold *hold)
{
    struct holding holding = {.hold = hold};
    pthread_t thread;
    hold->held_ns = 0;
    hold->error = 0;
    if (pthread_create(&thread, NULL, run_holding, &holding) != 0)
        return PROF_HOLD_FAILED;
    (void)pthread_join(thread, NULL);
    return holding.end;
}
