/* How often threads are switched, and to whom. */
#include "tests/harness.h"

#include "profiler/collector/switching.h"

enum { MS = 1000000 };

TEST(switching_counts_runs_by_the_cpu_time_used)
{
    struct prof_switching switching = {
        .runs = 500, .cpu_ns = 250 * MS, .room_ns = 1000 * MS};
    struct prof_switch_rate rate = prof_switching_rate(&switching);
    CHECK(rate.runs_per_s > 1999 && rate.runs_per_s < 2001);
}

/* Two on one processor have nobody else to switch to, if it is never idle. */
TEST(switching_of_threads_that_fill_their_processors_is_among_themselves)
{
    struct prof_switching switching = {
        .runs = 500, .cpu_ns = 450 * MS, .room_ns = 500 * MS};
    CHECK(prof_switching_rate(&switching).is_among_themselves);
    switching.room_ns *= 2;
    CHECK(!prof_switching_rate(&switching).is_among_themselves);
}
