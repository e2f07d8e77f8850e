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
 * killed while we look. The thread of ours that made a stop and could not end
 * it must live no longer: with its end, the kernel lets go.
 */
#ifndef PROFILER_ATTACH_TRACEE_H
#define PROFILER_ATTACH_TRACEE_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "profiler/unwind/sig_regs.h"

/* What to do with a thread that is held: read. */
typedef void prof_tracee_visit(void *owner, const struct prof_regs *regs);

struct prof_hold {
    uint32_t tid;
    bool is_running;   /* it ran when it was last looked at */
    uint64_t since_ns; /* CLOCK_MONOTONIC, from when it has not run for our
                          sake; 0: from now on */
    prof_tracee_visit *visit;
    void *owner;      /* for visit */
    uint64_t held_ns; /* out: from when it still ran to the release */
    int error;        /* out: errno of a refusal */
};

enum prof_hold_end {
    PROF_HOLD_DONE,
    PROF_HOLD_GONE,
    PROF_HOLD_REFUSED, /* by the system: `error` says how */
    PROF_HOLD_LATE,    /* it did not stop in time: it sleeps deeply, or waits
                          for a processor in vain */
    PROF_HOLD_FAILED,  /* no memory for a thread of our own */
    PROF_HOLD_NOBODY,  /* was to be held */
};

/* Hold the thread, visit it, and let it go. */
enum prof_hold_end prof_tracee_hold(struct prof_hold *hold);

/*
 * The same by the calling thread, which should go before others (urgency.h),
 * and must end after LATE.
 */
enum prof_hold_end prof_tracee_hold_here(struct prof_hold *hold);

/* ---- what depends on the processor ---- */

/* The registers of a thread that is held; false when it is gone. */
bool prof_tracee_registers(uint32_t tid, struct prof_regs *regs);

/*
 * Let the call that a stop has interrupted go on; see above. Only for a stop
 * that is ours, not for that of a signal on its way.
 */
void prof_tracee_mend_call(uint32_t tid, bool is_running);

#endif
