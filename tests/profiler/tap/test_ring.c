/* The ring of a processor, as the kernel would have filled it. */
#include "tests/harness.h"

#include <stdlib.h>
#include <string.h>

#include "profiler/tap/record.h"
#include "profiler/tap/ring.h"

enum { BYTES = 4096 };

static struct perf_event_mmap_page page;
static _Alignas(8) uint8_t data[BYTES];
static _Alignas(8) uint8_t copy[PROF_TAP_RECORD_BYTES];

static struct prof_tap_ring ring_at(uint64_t position)
{
    memset(&page, 0, sizeof page);
    memset(data, 0, sizeof data);
    page.data_head = page.data_tail = position;
    return (struct prof_tap_ring){
        .page = &page,
        .data = data,
        .bytes = BYTES,
        .head = position,
        .tail = position};
}

static void write_word(uint64_t position, uint64_t word)
{
    memcpy(&data[position % BYTES], &word, sizeof word);
}

/* A record of `words` words behind its header, each with its number. */
static void write_record(uint32_t type, unsigned words, uint64_t time_ns)
{
    struct perf_event_header header = {
        .type = type, .size = (uint16_t)(8 + 8 * words)};
    uint64_t at = page.data_head, first;
    memcpy(&first, &header, sizeof first);
    write_word(at, first);
    for (unsigned i = 0; i < words; i++)
        write_word(at + 8 + 8 * i, i);
    if (type == PERF_RECORD_SAMPLE)
        write_word(at + PROF_TAP_SAMPLE_TIME_AT, time_ns);
    else
        write_word(at + header.size - PROF_TAP_TIME_FROM_END, time_ns);
    page.data_head = at + header.size;
}

TEST(an_empty_ring_has_nothing)
{
    struct prof_tap_ring ring = ring_at(0);
    CHECK(prof_tap_ring_refresh(&ring) == 0);
    CHECK(!prof_tap_ring_has_next(&ring));
}

TEST(records_come_in_the_order_they_were_written)
{
    struct prof_tap_ring ring = ring_at(0);
    write_record(PERF_RECORD_SAMPLE, 10, 100);
    write_record(PERF_RECORD_FORK, 7, 200);
    CHECK(prof_tap_ring_refresh(&ring) > 0);
    CHECK_EQ(prof_tap_ring_peek(&ring, copy)->type, PERF_RECORD_SAMPLE);
    CHECK_EQ(prof_tap_ring_time_ns(&ring), 100);
    prof_tap_ring_pass(&ring);
    CHECK_EQ(page.data_tail, 88);
    CHECK_EQ(prof_tap_ring_peek(&ring, copy)->type, PERF_RECORD_FORK);
    CHECK_EQ(prof_tap_ring_time_ns(&ring), 200);
    prof_tap_ring_pass(&ring);
    CHECK(!prof_tap_ring_has_next(&ring));
}

TEST(what_comes_after_a_look_is_not_seen_before_the_next)
{
    struct prof_tap_ring ring = ring_at(0);
    (void)prof_tap_ring_refresh(&ring);
    write_record(PERF_RECORD_SAMPLE, 10, 100);
    CHECK(!prof_tap_ring_has_next(&ring));
    (void)prof_tap_ring_refresh(&ring);
    CHECK(prof_tap_ring_has_next(&ring));
}

TEST(a_record_that_wraps_is_whole_at_every_place)
{
    for (uint64_t before_end = 8; before_end <= 96; before_end += 8) {
        struct prof_tap_ring ring = ring_at(7 * BYTES - before_end);
        write_record(PERF_RECORD_SAMPLE, 10, 4711);
        (void)prof_tap_ring_refresh(&ring);
        CHECK_EQ(prof_tap_ring_time_ns(&ring), 4711);
        const uint64_t *words =
            (const void *)(prof_tap_ring_peek(&ring, copy) + 1);
        for (uint64_t i = 0; i < 10; i++)
            CHECK_EQ(words[i], i == 3 ? 4711 : i);
    }
}

TEST(a_record_that_cannot_be_takes_those_behind_it_along)
{
    static const uint16_t sizes[] = {0, 8, 16, 28, 92, BYTES - 8};
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct prof_tap_ring ring = ring_at(BYTES - 16);
        write_record(PERF_RECORD_SAMPLE, 10, 100);
        write_record(PERF_RECORD_SAMPLE, 10, 200);
        struct perf_event_header header = {
            .type = PERF_RECORD_SAMPLE, .size = sizes[i]};
        uint64_t first;
        memcpy(&first, &header, sizeof first);
        write_word(BYTES - 16, first);
        (void)prof_tap_ring_refresh(&ring);
        CHECK(!prof_tap_ring_has_next(&ring));
        CHECK_EQ(page.data_tail, page.data_head);
    }
}
