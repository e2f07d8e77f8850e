/*
 * The rings that the kernel writes records to: one for each processor that is
 * on, all of a size, as large as the system permits.
 */
#ifndef PROFILER_TAP_RINGS_H
#define PROFILER_TAP_RINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "profiler/tap/ring.h"

#define PROF_TAP_STACK_LEAST 4096u

struct prof_tap_rings {
    struct prof_tap_ring *rows;
    uint32_t count;
    int epoll;            /* readable when one wants to be read */
    uint32_t stack_bytes; /* of a stack, that a sample should copy */
    void *copy;           /* of a record that wraps */
};

/* What fails leaves them to be closed. */
MUST_CHECK enum status prof_tap_rings_open(
    struct prof_tap_rings *rings, uint64_t period_ns, struct diag *diag);
void prof_tap_rings_close(struct prof_tap_rings *rings);

/*
 * How much of a stack a sample should copy, so that a ring of `ring_bytes`
 * holds what comes until it is read.
 *
 *   is_limited  the system permits no larger rings: its reader waits longer
 */
uint32_t prof_tap_rings_choose_copy(
    uint64_t ring_bytes, uint64_t period_ns, bool is_limited);

/* See what has been written since; the share of the fullest that is full. */
double prof_tap_rings_refresh(struct prof_tap_rings *rings);

/* That which has the oldest record, if it is from before `limit_ns`. */
struct prof_tap_ring *prof_tap_rings_next(
    struct prof_tap_rings *rings, uint64_t limit_ns);

#endif
