/*
 * A thread of another process, seen while it runs: one sample of a perf event,
 * in which the kernel copies its registers and the top of its stack.
 *
 * The thread is interrupted for that as by any tick of the clock, and not
 * stopped: no call of its can end early, and no transfer be cut in two. So this
 * comes first where the system permits perf events, and holding (tracee.h)
 * where it does not, or where the copy is too short.
 */
#ifndef PROFILER_ATTACH_GLIMPSE_H
#define PROFILER_ATTACH_GLIMPSE_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/unwind/sig_regs.h"

struct prof_glimpser;

/* What the kernel copies at most: attr.sample_stack_user. */
#define PROF_GLIMPSE_STACK_BYTES 65528

/* What was seen; valid until the next glimpse. */
struct prof_glimpse {
    struct prof_regs regs;
    const uint8_t *stack; /* from the stack pointer on */
    uint64_t stack_bytes;
};

/* NULL when out of memory. */
struct prof_glimpser *prof_glimpser_create(void);
void prof_glimpser_destroy(struct prof_glimpser *glimpser);

enum prof_glimpse_end {
    PROF_GLIMPSE_DONE,
    PROF_GLIMPSE_NOTHING, /* it sleeps, or others have the processors */
    PROF_GLIMPSE_GONE,    /* it is about to end, and runs no code any more */
    PROF_GLIMPSE_REFUSED, /* the system permits no such event */
};

/* Wait until the thread has run for a moment. */
enum prof_glimpse_end prof_glimpser_look(
    struct prof_glimpser *glimpser, uint32_t tid, struct prof_glimpse *glimpse);

#endif
