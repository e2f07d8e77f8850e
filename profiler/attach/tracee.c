/* Holding a thread; see the header. */
#include "profiler/attach/tracee.h"

#include <errno.h>
#include <pthread.h>
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

/*
 * Looking for the stop takes time that others would have. Who has waited for a
 * processor for long may as well stand still for a part of that.
 */
enum { SHORTEST_PAUSE_NS = 5000, LONGEST_PAUSE_NS = 50000, PAUSE_SHARE = 16 };

static struct timespec pause_after(uint64_t passed_ns)
{
    uint64_t pause_ns = passed_ns / PAUSE_SHARE;
    if (pause_ns < SHORTEST_PAUSE_NS)
        pause_ns = SHORTEST_PAUSE_NS;
    if (pause_ns > LONGEST_PAUSE_NS)
        pause_ns = LONGEST_PAUSE_NS;
    return (struct timespec){.tv_nsec = (long)pause_ns};
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
        const struct timespec pause = pause_after(passed_ns);
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

enum prof_hold_end prof_tracee_hold_here(struct prof_hold *hold)
{
    pid_t tid = (pid_t)hold->tid;
    uint64_t since_ns = hold->since_ns;
    if (since_ns == 0)
        since_ns = clock_now_ns(CLOCK_MONOTONIC);
    hold->held_ns = 0;
    hold->error = 0;
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
    bool is_there = prof_tracee_registers(hold->tid, &regs);
    if (is_there)
        hold->visit(hold->owner, &regs);
    (void)ptrace(PTRACE_DETACH, tid, NULL, signal);
    hold->held_ns = clock_now_ns(CLOCK_MONOTONIC) - since_ns;
    return is_there ? PROF_HOLD_DONE : PROF_HOLD_GONE;
}

/* ---- by a thread made for it ---- */

struct holding {
    struct prof_hold *hold;
    enum prof_hold_end end;
};

static void *run_holding(void *owner)
{
    struct holding *holding = owner;
    prof_urgency_keep();
    holding->end = prof_tracee_hold_here(holding->hold);
    return NULL;
}

enum prof_hold_end prof_tracee_hold(struct prof_hold *hold)
{
    pthread_t thread;
    struct holding holding = {.hold = hold};
    if (pthread_create(&thread, NULL, run_holding, &holding) != 0)
        return PROF_HOLD_FAILED;
    (void)pthread_join(thread, NULL);
    return holding.end;
}
