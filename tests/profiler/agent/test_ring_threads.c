/*
 * The ring under real concurrency, for ThreadSanitizer and for the law that
 * what was written is read or counted as lost, never both and never neither.
 */
#include "tests/harness.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "tests/profiler/ring_fixture.h"

enum { WRITERS = 4, RECORDS_EACH = 20000 };

struct writer {
    struct ring_pair *pair;
    pthread_t thread;
    uint32_t tid;
    uint64_t written, lost;
};

static void *write_records(void *context)
{
    struct writer *writer = context;
    unsigned seed = writer->tid;
    for (uint64_t i = 0; i < RECORDS_EACH; i++) {
        seed = seed * 1103515245 + 12345;
        uint32_t words = 3 + seed / 65536 % 60;
        struct prof_claim claim =
            prof_ring_claim(&writer->pair->writer, words * 8, writer->tid);
        if (claim.bytes == NULL) {
            writer->lost++;
            continue;
        }
        uint64_t *record = claim.bytes;
        record[0] = writer->tid;
        record[1] = i;
        record[2] = words;
        for (uint32_t w = 3; w < words; w++)
            record[w] = i * 31 + w;
        prof_ring_commit(&writer->pair->writer, &claim);
        writer->written++;
    }
    return NULL;
}

/* A record is whole, and its writer's numbers only grow. */
static void check_record(const struct ring_pair *pair, uint64_t *last)
{
    uint64_t words[WIRE_RECORD_BLOCKS * WIRE_BLOCK_BYTES / 8];
    memcpy(words, pair->record, sizeof words);
    CHECK(words[0] < WRITERS && words[2] < 64);
    CHECK(words[1] + 1 > last[words[0]]);
    last[words[0]] = words[1] + 1;
    for (uint64_t w = 3; w < words[2]; w++)
        CHECK_EQ(words[w], words[1] * 31 + w);
}

TEST(ring_loses_nothing_uncounted_with_four_writers_and_a_reader)
{
    struct ring_pair *pair = make_ring();
    struct writer writers[WRITERS];
    uint64_t last[WRITERS] = {0}, received = 0, written = 0, lost = 0;
    pair->dead_tid = UINT32_MAX;
    for (uint32_t i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){.pair = pair, .tid = i};
        CHECK_OK(pthread_create(
            &writers[i].thread, NULL, write_records, &writers[i]));
    }
    /* Until every record is accounted for. */
    while (received + ring_loss(pair, WIRE_LOSS_FULL) +
               ring_loss(pair, WIRE_LOSS_CONTENDED) <
           (uint64_t)WRITERS * RECORDS_EACH) {
        if (read_ring(pair) == 0)
            continue;
        check_record(pair, last);
        received++;
    }
    for (uint32_t i = 0; i < WRITERS; i++) {
        CHECK_OK(pthread_join(writers[i].thread, NULL));
        written += writers[i].written;
        lost += writers[i].lost;
    }
    CHECK_EQ(written, received);
    CHECK_EQ(written + lost, (uint64_t)WRITERS * RECORDS_EACH);
    CHECK_EQ(read_ring(pair), 0);
    CHECK_EQ(pair->malformed, 0);
    drop_ring(pair);
}

/* ---- many writers, nobody reads ---- */

enum { CROWD = 64, BLOCKS_EACH = WIRE_BLOCK_COUNT / CROWD };

static void *fill_share(void *context)
{
    struct ring_pair *pair = context;
    for (unsigned i = 0; i < BLOCKS_EACH; i++) {
        struct prof_claim claim = prof_ring_claim(&pair->writer, 16, 1);
        if (claim.bytes != NULL)
            prof_ring_commit(&pair->writer, &claim);
    }
    return NULL;
}

TEST(ring_loses_nothing_to_64_writers_while_there_is_room)
{
    struct ring_pair *pair = make_ring();
    pthread_t threads[CROWD];
    pair->dead_tid = UINT32_MAX;
    for (unsigned i = 0; i < CROWD; i++)
        CHECK_OK(pthread_create(&threads[i], NULL, fill_share, pair));
    for (unsigned i = 0; i < CROWD; i++)
        CHECK_OK(pthread_join(threads[i], NULL));
    for (int reason = 0; reason < WIRE_LOSS_COUNT; reason++)
        CHECK_EQ(ring_loss(pair, (enum wire_loss)reason), 0);

    /* To the last block; the next one is the first loss. */
    CHECK(prof_ring_claim(&pair->writer, 16, 1).bytes == NULL);
    CHECK_EQ(ring_loss(pair, WIRE_LOSS_FULL), 1);
    uint32_t count = 0;
    while (read_ring(pair) > 0)
        count++;
    CHECK_EQ(count, WIRE_BLOCK_COUNT);
    drop_ring(pair);
}
