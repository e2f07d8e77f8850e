/*
 * A thread of another process, held by ptrace(2) while somebody looks at it.
 *
 * PTRACE_SEIZE and PTRACE_INTERRUPT send no signal, and no wait() of the
 * program sees the stop. A thread that was about to run is held within some
 * microseconds. What the stop interrupts goes on as if there had been none:
 *
 *   - A call the kernel takes up again by itself is left to it.
 *   - One that would end with EINTR is told to begin again, by the code the
 *     kernel has for that (ERESTARTNOHAND): unless a signal with a handler has
 *     come as well, which interrupts it as it always did.
 *   - So is one with a deadline that a running thread has just entered; it has
 *     waited for no more than the time between two looks at the thread, and
 *     restart_syscall(2), which a seccomp filter may not expect, is not needed.
 *
 * That is done first of all, so that the thread goes on rightly even if we are
 * killed while we look. The stop is made and ended by a thread of ours that
 * lives no longer: whatever goes wrong, the kernel lets go with its end.
 */
#ifndef PROFILER_ATTACH_TRACEE_H
#define PROFILER_ATTACH_TRACEE_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "profiler/unwind/sig_regs.h"

/*
 * Whom to hold, asked of the thread that holds when it is about to.
 *
 *   owner     for visit as well
 *   tid       out
 *   since_ns  out: CLOCK_MONOTONIC, from when it has not run for our sake
 *   returns   false: nobody
 */
typedef bool prof_tracee_choose(void *owner, uint32_t *tid, uint64_t *since_ns);

/* What to do with a thread that is held: read. */
typedef void prof_tracee_visit(void *owner, const struct prof_regs *regs);

struct prof_hold {
    uint32_t tid;
    bool is_running;    /* it ran when it was last looked at */
    uint32_t processor; /* with choose: on which it is asked, and held */
    prof_tracee_choose *choose; /* NULL: `tid` */
    uint64_t patience_ns; /* 0: until it has stopped; else who asked does not
                             wait for longer: when it stops, it goes on */
    prof_tracee_visit *visit;
    void *owner;
    uint64_t held_ns; /* out: from when it still ran to the release */
    int error;        /* out: errno of a refusal */
};

enum prof_hold_end {
    PROF_HOLD_DONE,
    PROF_HOLD_GONE,
    PROF_HOLD_REFUSED, /* by the system: `error` says how */
    PROF_HOLD_LATE,    /* it did not stop in time: it sleeps deeply, or waits
                          for a processor. It goes on when it does */
    PROF_HOLD_FAILED,  /* no memory for a thread of our own */
    PROF_HOLD_NOBODY,  /* was chosen */
};

/* Hold the thread, visit it, and let it go. */
enum prof_hold_end prof_tracee_hold(struct prof_hold *hold);

/*
 * Wait until nobody is held any more that patience did not suffice for: were
 * this process to end before, a call that is interrupted by then would not be
 * taken up again.
 */
void prof_tracee_settle(void);

/* ---- what depends on the processor ---- */

/* The registers of a thread that is held; false when it is gone. */
bool prof_tracee_registers(uint32_t tid, struct prof_regs *regs);

/*
 * Let the call that a stop has interrupted go on; see above. Only for a stop
 * that is ours, not for that of a signal on its way.
 */
void prof_tracee_mend_call(uint32_t tid, bool is_running);

#endif
