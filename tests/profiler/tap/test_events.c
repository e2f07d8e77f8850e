/* The events on processors: when they begin, and with what once Go is met. */
#include "tests/harness.h"

#include <time.h>
#include <unistd.h>

#include "profiler/base/clock.h"
#include "profiler/tap/events.h"
#include "profiler/tap/frame_chain.h"

#define PERIOD_NS   UINT64_C(1000000)
#define PATIENCE_NS UINT64_C(20000000000)

struct tally {
    uint32_t samples, with_chain; /* of ourselves */
};

static void take(struct prof_tap_events *events, struct tally *tally)
{
    struct prof_tap_ring *ring;
    (void)prof_tap_rings_refresh(&events->rings);
    while ((ring = prof_tap_rings_next(&events->rings, UINT64_MAX)) != NULL) {
        struct prof_tap_record record;
        if (prof_tap_record_parse(
                prof_tap_ring_peek(ring, events->rings.copy), &record) &&
            record.type == PERF_RECORD_SAMPLE &&
            record.pid == (uint32_t)getpid()) {
            tally->samples++;
            tally->with_chain +=
                prof_frame_chain_of_user(record.chain, record.chain_count)
                    .count > 0;
        }
        prof_tap_ring_pass(ring);
    }
}

/* Work until `samples` were taken of us, which takes as many periods. */
static struct tally work(struct prof_tap_events *events, uint32_t samples)
{
    struct tally tally = {0};
    uint64_t end_ns = clock_now_ns(CLOCK_PROCESS_CPUTIME_ID) + PATIENCE_NS;
    while (tally.samples < samples &&
           clock_now_ns(CLOCK_PROCESS_CPUTIME_ID) < end_ns)
        take(events, &tally);
    return tally;
}

/* For a while, whether samples come or not; at least what has come by now. */
static struct tally work_for(struct prof_tap_events *events, uint64_t ns)
{
    struct tally tally = {0};
    uint64_t end_ns = clock_now_ns(CLOCK_PROCESS_CPUTIME_ID) + ns;
    do
        take(events, &tally);
    while (clock_now_ns(CLOCK_PROCESS_CPUTIME_ID) < end_ns);
    return tally;
}

static void open_on_processors(struct prof_tap_events *events)
{
    const struct prof_tap_wanted wanted = {.period_ns = PERIOD_NS};
    struct diag diag;
    if (prof_tap_events_open(events, &wanted, &diag) != STATUS_OK)
        skip();
    if (events->is_on_processors)
        return;
    prof_tap_events_close(events);
    skip();
}

static uint32_t count_open(const struct prof_tap_events *events)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < events->opened.count; i++) {
        const struct prof_tap_event *event = table_row(&events->opened, i);
        count += event->fd >= 0;
    }
    return count;
}

TEST(nothing_is_sampled_before_the_beginning_or_after_the_end)
{
    struct prof_tap_events events;
    open_on_processors(&events);
    CHECK_EQ(work_for(&events, 50 * PERIOD_NS).samples, 0);
    prof_tap_events_begin(&events);
    CHECK(work(&events, 20).samples >= 20);
    prof_tap_events_stop(&events);
    (void)work_for(&events, PERIOD_NS);
    CHECK_EQ(work_for(&events, 50 * PERIOD_NS).samples, 0);
    prof_tap_events_close(&events);
}

TEST(the_chain_of_frame_pointers_comes_when_go_is_met_and_not_before)
{
    struct prof_tap_events events;
    open_on_processors(&events);
    prof_tap_events_begin(&events);
    struct tally before = work(&events, 20);
    CHECK(before.samples >= 20);
    CHECK_EQ(before.with_chain, 0);

    prof_tap_events_follow_frames(&events);
    CHECK_EQ(count_open(&events), events.rings.count);
    /* Those that were taken before are still in the rings. */
    (void)work_for(&events, PERIOD_NS);
    struct tally after = work(&events, 20);
    CHECK(after.samples >= 20);
    CHECK_EQ(after.with_chain, after.samples);

    uint32_t opened = events.opened.count;
    prof_tap_events_follow_frames(&events); /* as with every sample of Go */
    CHECK_EQ(events.opened.count, opened);
    prof_tap_events_stop(&events);
    (void)work_for(&events, PERIOD_NS);
    CHECK_EQ(work_for(&events, 50 * PERIOD_NS).samples, 0);
    prof_tap_events_close(&events);
}
