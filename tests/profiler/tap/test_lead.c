/* The reader ahead of others: for how long, and as it was before. */
#include "tests/harness.h"

#include <sys/resource.h>

#include "profiler/tap/lead.h"

#define MS UINT64_C(1000000)

static struct prof_tap_lead begun(uint32_t processors)
{
    return (struct prof_tap_lead){
        .processor_count = processors, .in_hand_ns = 200 * MS};
}

TEST(who_takes_a_tenth_of_the_processors_is_ahead_for_ever)
{
    struct prof_tap_lead lead = begun(2);
    for (uint64_t look = 1; look <= 10000; look++)
        CHECK(prof_tap_lead_judge(&lead, look * 5 * MS, look * MS));
}

TEST(who_takes_more_falls_back_when_nothing_is_in_hand)
{
    struct prof_tap_lead lead = begun(1);
    uint64_t look = 1; /* of 5 ms, all of which are used */
    while (prof_tap_lead_judge(&lead, look * 5 * MS, look * 5 * MS))
        look++;
    CHECK_EQ(look, 45); /* 200 ms, and a tenth of what has passed */
}

TEST(who_fell_back_waits_until_half_is_in_hand_again)
{
    struct prof_tap_lead lead = begun(1);
    CHECK(!prof_tap_lead_judge(&lead, 250 * MS, 250 * MS));
    uint64_t ms = 250;
    do
        ms += 5;
    while (!prof_tap_lead_judge(&lead, ms * MS, 250 * MS));
    CHECK_EQ(ms, 250 + 10 * (100 + 25) + 5);
    CHECK(prof_tap_lead_judge(&lead, (ms + 5) * MS, 255 * MS));
}

TEST(no_more_is_kept_in_hand_than_for_a_moment)
{
    struct prof_tap_lead lead = begun(64);
    CHECK(prof_tap_lead_judge(&lead, 3600 * 1000 * MS, 0));
    CHECK(!prof_tap_lead_judge(&lead, 3600 * 1000 * MS, 201 * MS));
}

TEST(a_reader_is_ahead_until_it_ends_where_the_system_permits_it)
{
    struct prof_tap_lead lead = {.processor_count = 0};
    int before = getpriority(PRIO_PROCESS, 0);
    bool is_permitted = setpriority(PRIO_PROCESS, 0, before - 10) == 0;
    (void)setpriority(PRIO_PROCESS, 0, before);
    prof_tap_lead_begin(&lead);
    int within = getpriority(PRIO_PROCESS, 0);
    int wanted = before - 10 < -20 ? -20 : before - 10;
    CHECK_EQ(within, is_permitted ? wanted : before);
    prof_tap_lead_begin(&lead); /* again, as for each process */
    CHECK_EQ(getpriority(PRIO_PROCESS, 0), within);
    prof_tap_lead_end(&lead);
    CHECK_EQ(getpriority(PRIO_PROCESS, 0), before);
    prof_tap_lead_tend(&lead);
    CHECK_EQ(getpriority(PRIO_PROCESS, 0), before);
}
