/* The ring, both ends: full, wrapped, contended, and with dead writers. */
#include "tests/harness.h"

#include <stdlib.h>
#include <string.h>

#include "tests/profiler/ring_fixture.h"

/* A record of `bytes` that starts with `value` and ends with its complement. */
static bool put(struct ring_pair *pair, uint32_t bytes, uint64_t value)
{
    struct prof_claim claim = prof_ring_claim(&pair->writer, bytes, 7);
    if (claim.bytes == NULL)
        return false;
    uint64_t inverse = ~value;
    memcpy(claim.bytes, &value, 8);
    memcpy((char *)claim.bytes + bytes - 8, &inverse, 8);
    prof_ring_commit(&pair->writer, &claim);
    return true;
}

static bool take(struct ring_pair *pair, uint32_t bytes, uint64_t value)
{
    uint64_t first, last;
    if (read_ring(pair) < bytes)
        return false;
    memcpy(&first, pair->record, 8);
    memcpy(&last, pair->record + bytes - 8, 8);
    return first == value && last == ~value;
}

TEST(ring_gives_back_what_was_put_in_order)
{
    struct ring_pair *pair = make_ring();
    CHECK_EQ(read_ring(pair), 0);
    CHECK(put(pair, 16, 1));
    CHECK(put(pair, 1000, 2));
    CHECK(put(pair, 128, 3));
    CHECK(take(pair, 16, 1));
    CHECK(take(pair, 1000, 2));
    CHECK(take(pair, 128, 3));
    CHECK_EQ(read_ring(pair), 0);
    drop_ring(pair);
}

TEST(ring_wraps_without_splitting_a_record)
{
    struct ring_pair *pair = make_ring();
    /* A size that does not divide the ring, for several laps. */
    for (uint64_t i = 0; i < 5000; i++) {
        CHECK(put(pair, 8000, i));
        CHECK(take(pair, 8000, i));
    }
    CHECK(pair->reader.tail > 3 * WIRE_BLOCK_COUNT);
    CHECK_EQ(pair->malformed, 0);
    drop_ring(pair);
}

TEST(ring_counts_a_loss_when_full_and_goes_on_after_a_read)
{
    struct ring_pair *pair = make_ring();
    uint64_t written = 0;
    while (put(pair, WIRE_RECORD_BYTES, written))
        written++;
    CHECK_EQ(written, WIRE_BLOCK_COUNT / WIRE_RECORD_BLOCKS);
    CHECK_EQ(ring_loss(pair, WIRE_LOSS_FULL), 1);
    CHECK(!put(pair, WIRE_RECORD_BYTES, 0));
    CHECK_EQ(ring_loss(pair, WIRE_LOSS_FULL), 2);

    CHECK(take(pair, WIRE_RECORD_BYTES, 0));
    CHECK(put(pair, WIRE_RECORD_BYTES, written));
    for (uint64_t i = 1; i <= written; i++)
        CHECK(take(pair, WIRE_RECORD_BYTES, i));
    CHECK_EQ(read_ring(pair), 0);
    drop_ring(pair);
}

TEST(ring_waits_for_a_living_writer_and_skips_a_dead_one)
{
    struct ring_pair *pair = make_ring();
    struct prof_claim claim = prof_ring_claim(&pair->writer, 500, 42);
    CHECK(claim.bytes != NULL);
    CHECK(put(pair, 16, 1));

    CHECK_EQ(read_ring(pair), 0);
    pair->dead_tid = 42;
    CHECK(take(pair, 16, 1));
    CHECK_EQ(pair->reader.died, 1);
    drop_ring(pair);
}

TEST(ring_refuses_the_late_commit_of_a_writer_given_up)
{
    struct ring_pair *pair = make_ring();
    struct prof_claim claim = prof_ring_claim(&pair->writer, 500, 42);
    pair->dead_tid = 42;
    CHECK_EQ(read_ring(pair), 0);
    prof_ring_commit(&pair->writer, &claim);
    CHECK_EQ(ring_loss(pair, WIRE_LOSS_ABANDONED), 1);
    CHECK_EQ(read_ring(pair), 0);
    CHECK(put(pair, 16, 9));
    CHECK(take(pair, 16, 9));
    drop_ring(pair);
}

TEST(ring_helps_a_writer_that_died_before_it_moved_head)
{
    struct ring_pair *pair = make_ring();
    /* What a writer leaves that dies between its two swaps. */
    atomic_store(
        &pair->writer.descriptors[0], wire_word(0, WIRE_CLAIMED, 3, 42));
    CHECK(put(pair, 16, 5));
    CHECK_EQ(atomic_load(&pair->writer.header->head), 4);
    CHECK_EQ(read_ring(pair), 0);
    pair->dead_tid = 42;
    CHECK(take(pair, 16, 5));
    drop_ring(pair);
}

TEST(ring_reader_moves_a_head_nobody_moved_with_it)
{
    struct ring_pair *pair = make_ring();
    atomic_store(
        &pair->writer.descriptors[0], wire_word(0, WIRE_CLAIMED, 3, 42));
    pair->dead_tid = 42;
    CHECK_EQ(read_ring(pair), 0);
    CHECK_EQ(pair->reader.tail, 3);
    CHECK_EQ(atomic_load(&pair->writer.header->head), 3);
    CHECK(put(pair, 16, 6));
    CHECK(take(pair, 16, 6));
    drop_ring(pair);
}

TEST(ring_reader_survives_descriptors_that_break_the_protocol)
{
    struct ring_pair *pair = make_ring();
    unsigned seed = 1;
    for (int round = 0; round < 50; round++) {
        for (unsigned i = 0; i < WIRE_BLOCK_COUNT; i++) {
            seed = seed * 1103515245 + 12345;
            uint64_t word = (uint64_t)seed << 32 | seed * 2654435761u;
            atomic_store(&pair->writer.descriptors[i], word);
        }
        atomic_store(&pair->writer.header->tail, (uint64_t)seed << 20);
        for (unsigned i = 0; i < 2 * WIRE_BLOCK_COUNT; i++)
            (void)read_ring(pair);
    }
    CHECK(pair->malformed > 0);
    drop_ring(pair);
}

TEST(ring_goes_on_after_damage_to_a_descriptor_or_to_head)
{
    struct ring_pair *pair = make_ring();
    atomic_store(&pair->writer.descriptors[0], UINT64_MAX);
    CHECK_EQ(read_ring(pair), 0);
    CHECK_EQ(pair->malformed, 1);
    CHECK(put(pair, 16, 7));
    CHECK(take(pair, 16, 7));
    atomic_store(&pair->writer.header->head, 0);
    CHECK(put(pair, 16, 8));
    CHECK(take(pair, 16, 8));
    drop_ring(pair);
}

TEST(ring_segment_is_refused_unless_sealed_and_of_our_making)
{
    struct prof_ring_reader reader;
    struct diag diag;
    int fd = make_segment_fd(0);
    CHECK_EQ(prof_ring_reader_open(&reader, fd, &diag), STATUS_MALFORMED);
    close(fd);

    fd = memfd_create("small", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    CHECK_OK(ftruncate(fd, 4096));
    CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
    CHECK_EQ(prof_ring_reader_open(&reader, fd, &diag), STATUS_MISMATCH);
    close(fd);

    fd = make_segment_fd(F_SEAL_SHRINK);
    CHECK_EQ(pwrite(fd, "XXXX", 4, 0), 4);
    CHECK_EQ(prof_ring_reader_open(&reader, fd, &diag), STATUS_MISMATCH);
    close(fd);
}
