/*
 * The ring of one processor: what the kernel writes there about the threads
 * that are watched.
 *
 * It belongs to an event that counts nothing, so that it outlives every thread
 * that is watched; the events of all threads write into it. That event is on
 * the processor where that is permitted, else on ourselves: one on a thread,
 * whosever, has the kernel look for events when anybody is switched.
 * Records are read where they are, in the order they were written; only one
 * that wraps around the end is copied.
 */
#ifndef PROFILER_TAP_RING_H
#define PROFILER_TAP_RING_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/perf_event.h>

#include "profiler/base/status.h"

/* struct perf_event_header has 16 bits for the size. */
#define PROF_TAP_RECORD_BYTES 65536

struct prof_tap_ring {
    int fd, cpu;
    struct perf_event_mmap_page *page;
    const uint8_t *data;
    uint64_t bytes;      /* of the data: a power of two */
    uint64_t head, tail; /* what is there to be read */
};

/* Two records of any kind. */
#define PROF_TAP_RING_LEAST (UINT64_C(2) * PROF_TAP_RECORD_BYTES)

/*
 * Make the ring of processor `cpu`.
 *
 * Its descriptor is readable when half of it has been written.
 *
 *   bytes   a power of two
 *   errors  SYSTEM: the event is refused, with errno; NOT_PERMITTED: so much
 *           memory is
 */
MUST_CHECK enum status prof_tap_ring_open(
    struct prof_tap_ring *ring, int cpu, uint64_t bytes, struct diag *diag);
void prof_tap_ring_close(struct prof_tap_ring *ring);

/* See what has been written since; the share of the ring that is full. */
double prof_tap_ring_refresh(struct prof_tap_ring *ring);

/*
 * Whether there is a record to be read. After one that cannot be, none of those
 * behind it can: all are passed.
 */
bool prof_tap_ring_has_next(struct prof_tap_ring *ring);

/*
 * The next record, which there must be; valid until it is passed.
 *
 *   copy  of PROF_TAP_RECORD_BYTES, aligned to 8, for one that wraps
 */
const struct perf_event_header *prof_tap_ring_peek(
    const struct prof_tap_ring *ring, void *copy);

/* When the next record was written; there must be one. */
uint64_t prof_tap_ring_time_ns(const struct prof_tap_ring *ring);

void prof_tap_ring_pass(struct prof_tap_ring *ring);

#endif
