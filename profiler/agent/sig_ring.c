/* The writer's side of the ring; see profiler/wire/ring.h for the protocol. */
#include "profiler/agent/sig_ring.h"

#include <stddef.h>

SIGNAL_SAFE void prof_ring_count_loss(
    struct wire_ring *ring, enum wire_loss reason)
{
    atomic_fetch_add_explicit(
        &ring->header->loss[reason], 1, memory_order_relaxed);
}

static struct prof_claim claim_failed(
    struct wire_ring *ring, enum wire_loss why)
{
    prof_ring_count_loss(ring, why);
    return (struct prof_claim){.bytes = NULL};
}

/* Move head on from `seen`; whoever does it first, it is done. */
static void help_head(struct wire_ring *ring, uint64_t seen, uint64_t next)
{
    (void)atomic_compare_exchange_strong_explicit(
        &ring->header->head, &seen, next, memory_order_acq_rel,
        memory_order_relaxed);
}

EVERY_SAMPLE struct prof_claim prof_ring_claim(
    struct wire_ring *ring, uint32_t bytes, uint32_t tid)
{
    uint32_t blocks = (bytes + WIRE_BLOCK_BYTES - 1) / WIRE_BLOCK_BYTES;

    for (int tries = 0; tries < WIRE_CLAIM_TRIES; tries++) {
        /* Pairs with help_head(): the record before head is claimed. */
        uint64_t head =
            atomic_load_explicit(&ring->header->head, memory_order_acquire);
        /* Pairs with prof_ring_free(): the blocks before tail are free. */
        uint64_t tail =
            atomic_load_explicit(&ring->header->tail, memory_order_acquire);
        if ((int64_t)(tail - head) > 0) {
            /* Moved since we read it; or damaged, and mended here. */
            help_head(ring, head, tail);
            continue;
        }
        if (head + blocks - tail > WIRE_BLOCK_COUNT)
            return claim_failed(ring, WIRE_LOSS_FULL);

        uint64_t index = head % WIRE_BLOCK_COUNT;
        uint64_t seen = wire_word(head, WIRE_FREE, 0, 0);
        uint64_t word = wire_word(head, WIRE_CLAIMED, blocks, tid);
        if (atomic_compare_exchange_strong_explicit(
                &ring->descriptors[index], &seen, word, memory_order_acq_rel,
                memory_order_acquire)) {
            help_head(ring, head, head + blocks);
            return (struct prof_claim){
                .position = head,
                .word = word,
                .bytes = ring->blocks + index * WIRE_BLOCK_BYTES};
        }
        if (wire_word_lap(seen) == wire_word_lap(word) &&
            wire_word_state(seen) != WIRE_FREE)
            help_head(ring, head, head + wire_word_blocks(seen));
    }
    return claim_failed(ring, WIRE_LOSS_CONTENDED);
}

EVERY_SAMPLE void prof_ring_commit(
    struct wire_ring *ring, const struct prof_claim *claim)
{
    uint64_t seen = claim->word;
    uint64_t committed = wire_word(
        claim->position, WIRE_COMMITTED, wire_word_blocks(claim->word),
        wire_word_tid(claim->word));

    /* Pairs with the acquire in prof_ring_read(): the record's bytes. */
    if (!atomic_compare_exchange_strong_explicit(
            &ring->descriptors[claim->position % WIRE_BLOCK_COUNT], &seen,
            committed, memory_order_release, memory_order_relaxed))
        prof_ring_count_loss(ring, WIRE_LOSS_ABANDONED);
}
