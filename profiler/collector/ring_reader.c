/* The reader's side of the ring; see profiler/wire/ring.h for the protocol. */
#include "profiler/collector/ring_reader.h"

#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "profiler/wire/version.h"

enum { MAP_BYTES = WIRE_SEGMENT_BYTES + WIRE_TWICE_BYTES };

/* Map the segment and, behind it, its first blocks once more. */
static bool map_ring(struct wire_ring *ring, int fd)
{
    unsigned char *base =
        mmap(NULL, MAP_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED)
        return false;
    if (mmap(
            base, WIRE_SEGMENT_BYTES, PROT_READ | PROT_WRITE,
            MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED ||
        mmap(
            base + WIRE_SEGMENT_BYTES, WIRE_TWICE_BYTES, PROT_READ | PROT_WRITE,
            MAP_SHARED | MAP_FIXED, fd, WIRE_BLOCKS_OFFSET) == MAP_FAILED) {
        (void)munmap(base, MAP_BYTES);
        return false;
    }
    *ring = (struct wire_ring){
        .header = (void *)base,
        .crashes = (void *)(base + WIRE_HEADER_BYTES),
        .slots = (void *)(base + WIRE_SLOTS_OFFSET),
        .descriptors = (void *)(base + WIRE_WORDS_OFFSET),
        .blocks = base + WIRE_BLOCKS_OFFSET};
    return true;
}

static void unmap_ring(struct wire_ring *ring)
{
    (void)munmap(ring->header, MAP_BYTES);
}

static enum status check_segment(int fd, struct stat *stat, struct diag *diag)
{
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0)
        return fail(diag, STATUS_SYSTEM, "read the seals of a segment");
    if ((seals & F_SEAL_SHRINK) == 0)
        return fail(diag, STATUS_MALFORMED, "segment is not sealed");

    if (fstat(fd, stat) < 0)
        return fail(diag, STATUS_SYSTEM, "stat a segment");
    if (stat->st_size != WIRE_SEGMENT_BYTES)
        return fail(diag, STATUS_MISMATCH, "segment has another size");
    return STATUS_OK;
}

enum status prof_ring_reader_open(
    struct prof_ring_reader *reader, int fd, struct diag *diag)
{
    struct stat stat;
    enum status status = check_segment(fd, &stat, diag);
    if (status != STATUS_OK)
        return status;

    struct wire_ring ring;
    if (!map_ring(&ring, fd))
        return fail(diag, STATUS_SYSTEM, "map a segment");
    if (ring.header->magic != WIRE_MAGIC ||
        ring.header->version != WIRE_VERSION) {
        unmap_ring(&ring);
        return fail(diag, STATUS_MISMATCH, "segment of another version");
    }
    *reader = (struct prof_ring_reader){
        .ring = ring, .device = stat.st_dev, .inode = stat.st_ino};
    return STATUS_OK;
}

void prof_ring_reader_close(struct prof_ring_reader *reader)
{
    if (reader->ring.header != NULL)
        unmap_ring(&reader->ring);
    *reader = (struct prof_ring_reader){0};
}

/*
 * A writer that died before it moved head has left it at tail. It is moved
 * before the blocks are free, so that no writer depends on our next step: one
 * that found them free and head behind them could only try again.
 */
static void pass_head(const struct prof_ring_reader *reader, uint32_t blocks)
{
    uint64_t seen = reader->tail;
    (void)atomic_compare_exchange_strong_explicit(
        &reader->ring.header->head, &seen, seen + blocks, memory_order_acq_rel,
        memory_order_relaxed);
}

/* Give `blocks` at tail back to the writers. */
static void prof_ring_free(struct prof_ring_reader *reader, uint32_t blocks)
{
    for (uint32_t i = 0; i < blocks; i++) {
        uint64_t position = reader->tail + i;
        atomic_store_explicit(
            &reader->ring.descriptors[position % WIRE_BLOCK_COUNT],
            wire_word(position + WIRE_BLOCK_COUNT, WIRE_FREE, 0, 0),
            memory_order_relaxed);
    }
    reader->tail += blocks;
    /* Pairs with the acquire in prof_ring_claim(): blocks are free again. */
    atomic_store_explicit(
        &reader->ring.header->tail, reader->tail, memory_order_release);
}

uint32_t prof_ring_read(
    struct prof_ring_reader *reader, void *buffer, prof_ring_is_alive *is_alive,
    void *context, uint64_t *malformed)
{
    /* Bounded by a lap: every round but the last gives blocks back. */
    for (uint32_t round = 0; round < WIRE_BLOCK_COUNT; round++) {
        uint64_t index = reader->tail % WIRE_BLOCK_COUNT;
        /* Pairs with the release in prof_ring_commit(). */
        uint64_t word = atomic_load_explicit(
            &reader->ring.descriptors[index], memory_order_acquire);
        uint32_t blocks = wire_word_blocks(word);

        if (word == wire_word(reader->tail, WIRE_FREE, 0, 0))
            return 0;
        if (wire_word_lap(word) !=
                wire_word_lap(wire_word(reader->tail, 0, 0, 0)) ||
            wire_word_state(word) == WIRE_FREE || blocks == 0 ||
            blocks > WIRE_RECORD_BLOCKS) {
            /* No honest writer does this; skip one block at a time. */
            *malformed += 1;
            pass_head(reader, 1);
            prof_ring_free(reader, 1);
            continue;
        }
        if (wire_word_state(word) == WIRE_CLAIMED) {
            if (is_alive(context, wire_word_tid(word)))
                return 0;
            /* It may have committed before it died; then it is a record. */
            if (atomic_load_explicit(
                    &reader->ring.descriptors[index], memory_order_acquire) !=
                word)
                continue;
            reader->died += 1;
            pass_head(reader, blocks);
            prof_ring_free(reader, blocks);
            continue;
        }

        memcpy(
            buffer, reader->ring.blocks + index * WIRE_BLOCK_BYTES,
            (size_t)blocks * WIRE_BLOCK_BYTES);
        prof_ring_free(reader, blocks);
        return blocks * WIRE_BLOCK_BYTES;
    }
    return 0;
}
