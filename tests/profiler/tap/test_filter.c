/* Strangers are not sampled on processors, and those admitted again are. */
#include "tests/harness.h"

#include <time.h>
#include <unistd.h>

#include "profiler/base/clock.h"
#include "profiler/tap/events.h"

#define PERIOD_NS UINT64_C(1000000)
#define WORK_NS   (100 * PERIOD_NS)

/* Those of ourselves that there are to be read. */
static uint32_t take_samples(struct prof_tap_events *events)
{
    uint32_t count = 0;
    struct prof_tap_ring *ring;
    (void)prof_tap_rings_refresh(&events->rings);
    while ((ring = prof_tap_rings_next(&events->rings, UINT64_MAX)) != NULL) {
        struct prof_tap_record record;
        if (prof_tap_record_parse(
                prof_tap_ring_peek(ring, events->rings.copy), &record) &&
            record.type == PERF_RECORD_SAMPLE &&
            record.pid == (uint32_t)getpid())
            count++;
        prof_tap_ring_pass(ring);
    }
    return count;
}

/* Of a while of work; the rings are emptied meanwhile, for others fill them. */
static uint32_t samples_of_work(struct prof_tap_events *events)
{
    uint32_t count = 0;
    uint64_t begin_ns = clock_now_ns(CLOCK_PROCESS_CPUTIME_ID);
    while (clock_now_ns(CLOCK_PROCESS_CPUTIME_ID) - begin_ns < WORK_NS)
        count += take_samples(events);
    return count;
}

TEST(whom_the_filter_refuses_is_not_sampled_until_it_is_admitted)
{
    const struct prof_tap_wanted wanted = {.period_ns = PERIOD_NS};
    struct prof_tap_events events;
    struct diag diag;
    if (prof_tap_events_open(&events, &wanted, &diag) != STATUS_OK)
        skip();
    if (!events.is_on_processors || events.filter.program < 0) {
        prof_tap_events_close(&events);
        skip();
    }
    prof_tap_events_begin(&events);
    CHECK(samples_of_work(&events) > 20);
    prof_tap_filter_refuse(&events.filter, (uint32_t)getpid());
    (void)samples_of_work(&events);
    CHECK_EQ(samples_of_work(&events), 0);
    prof_tap_filter_admit(&events.filter, (uint32_t)getpid());
    CHECK(samples_of_work(&events) > 20);
    prof_tap_events_close(&events);
}
