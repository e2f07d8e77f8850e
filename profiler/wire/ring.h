/*
 * A ring of records, in the segment of a process: many writers, in any handler,
 * and one reader, without locks.
 *
 * Positions count blocks from 0 and never wrap; position p lives in block and
 * descriptor p % WIRE_BLOCK_COUNT, in lap p / WIRE_BLOCK_COUNT. A record takes
 * 1 to WIRE_RECORD_BLOCKS blocks in a row. The descriptor of its first block
 * is the record's whole state; those of its other blocks are not looked at:
 *
 *     lap:24 | state:2 | blocks:16 | tid:22
 *
 *     FREE(lap)    -> CLAIMED(lap, blocks, tid)   writer, compare and swap
 *     CLAIMED      -> COMMITTED                   its writer, compare and swap
 *     COMMITTED    -> FREE(lap + 1)               reader, all its blocks
 *     CLAIMED      -> FREE(lap + 1)               reader, when `tid` is dead
 *
 * `head` is where the next writer tries, `tail` where the reader stands. Both
 * are always boundaries of records and only grow.
 *
 * Claim: read head, then tail; no room is a loss. Swap the descriptor at head
 * from FREE(this lap) to CLAIMED, then head past the record. Who finds the
 * descriptor claimed already moves head past it and tries again, so a writer
 * that dies, or is stopped, between its two swaps holds up nobody. Because
 * claim, size and owner become visible in one word, there is no moment in which
 * a record has no known owner or no known end.
 *
 * Commit: swap CLAIMED to COMMITTED, releasing the bytes of the record. If the
 * swap fails, the reader had given the record up: a loss.
 *
 * Read: at tail, FREE means empty. COMMITTED: copy the record out, set its
 * descriptors to FREE(lap + 1), then release tail. CLAIMED: wait, unless the
 * owner is dead; a dead thread writes no more, so its blocks can be reused. It
 * may have left head behind: the reader moves head first, then frees.
 *
 * The lap in every word makes a stale writer's swap fail: it returns to the
 * same value only after 2^24 laps.
 *
 * The reader trusts nothing: it copies a record before it looks at it, checks
 * every size against what it copied, and bounds each drain by one lap.
 *
 * tests/model/ring.pml is this protocol for spin, with its properties.
 *
 * When the target dies, memory and descriptors stay as they are: the reader
 * takes what is committed and drops what is claimed. When the collector dies,
 * or is stopped, the ring fills, samples are counted as lost, and the target
 * goes on.
 */
#ifndef PROFILER_WIRE_RING_H
#define PROFILER_WIRE_RING_H

#include <stdatomic.h>
#include <stdint.h>

#include "profiler/wire/record.h"

#define WIRE_BLOCK_BYTES 128u
#define WIRE_BLOCK_COUNT 8192u
#define WIRE_RECORD_BLOCKS                                                     \
    ((WIRE_RECORD_BYTES + WIRE_BLOCK_BYTES - 1) / WIRE_BLOCK_BYTES)

enum wire_state { WIRE_FREE = 0, WIRE_CLAIMED = 1, WIRE_COMMITTED = 2 };

static inline uint64_t wire_word(
    uint64_t position, enum wire_state state, uint32_t blocks, uint32_t tid)
{
    uint64_t lap = position / WIRE_BLOCK_COUNT & 0xffffff;
    return lap << 40 | (uint64_t)state << 38 |
           (uint64_t)(blocks & 0xffff) << 22 | (tid & 0x3fffff);
}

static inline enum wire_state wire_word_state(uint64_t word)
{
    return (enum wire_state)(word >> 38 & 3);
}

static inline uint32_t wire_word_blocks(uint64_t word)
{
    return word >> 22 & 0xffff;
}

static inline uint32_t wire_word_tid(uint64_t word)
{
    return word & 0x3fffff;
}

static inline uint64_t wire_word_lap(uint64_t word)
{
    return word >> 40;
}

/* Losses that only the agent can see. */
enum wire_loss {
    WIRE_LOSS_FULL,      /* no room in the ring */
    WIRE_LOSS_CONTENDED, /* gave up after WIRE_CLAIM_TRIES */
    WIRE_LOSS_BUSY,      /* no room to work: handlers at once, tiny stack */
    WIRE_LOSS_ABANDONED, /* the reader had taken the writer for dead */
    WIRE_LOSS_COUNT
};

#define WIRE_CLAIM_TRIES 256

_Static_assert(WIRE_RECORD_BLOCKS < WIRE_BLOCK_COUNT / 8, "ring of records");
_Static_assert((WIRE_BLOCK_COUNT & (WIRE_BLOCK_COUNT - 1)) == 0, "power of 2");
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "works between processes");

#endif
