/*
 * The writer's side of the ring in profiler/wire/ring.h: any thread, any
 * handler, no lock. The protocol and its reasons stand there.
 */
#ifndef PROFILER_AGENT_SIG_RING_H
#define PROFILER_AGENT_SIG_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "profiler/wire/segment.h"

/* A record being written. */
struct prof_claim {
    uint64_t position;
    uint64_t word; /* the descriptor, CLAIMED */
    void *bytes;   /* room for what was asked; NULL when the claim failed */
};

/*
 * Reserve `bytes` (at most WIRE_RECORD_BYTES) for the thread `tid`.
 *
 *   returns  a claim with `bytes` NULL when there is no room; the loss is
 *            already counted
 *   context  SIGNAL_SAFE, lock-free, many writers
 */
SIGNAL_SAFE struct prof_claim prof_ring_claim(
    struct wire_ring *ring, uint32_t bytes, uint32_t tid);

/*
 * Make the record visible to the reader. A claim that the reader has given up
 * is counted as lost. SIGNAL_SAFE.
 */
SIGNAL_SAFE void prof_ring_commit(
    struct wire_ring *ring, const struct prof_claim *claim);

SIGNAL_SAFE void prof_ring_count_loss(
    struct wire_ring *ring, enum wire_loss reason);

#endif
