/* Threads by the ids that they call themselves: here, those that we see. */
#include "tests/harness.h"

#include <time.h>
#include <unistd.h>

#include "profiler/base/clock.h"
#include "profiler/collector/inner_tids.h"

#define PATIENCE_NS UINT64_C(10000000000)

TEST(threads_are_listed_when_one_is_not_known)
{
    struct prof_inner_tids tids = {.next_ns = 0};
    uint32_t self = (uint32_t)getpid();
    CHECK_EQ(prof_inner_tids_take(&tids, self), 0); /* no list, no thread */
    CHECK_EQ(prof_inner_tids_outer(&tids, self, self), self);
    prof_inner_tids_fini(&tids);
}

TEST(an_id_is_another_threads_after_an_end)
{
    struct prof_inner_tids tids = {.next_ns = 0};
    uint32_t self = (uint32_t)getpid();
    CHECK_EQ(prof_inner_tids_outer(&tids, self, self), self);
    CHECK_EQ(prof_inner_tids_take(&tids, self), self);
    CHECK_EQ(prof_inner_tids_take(&tids, self), 0);
    /* Not at once: lists are read for a small part of the time. */
    uint64_t until_ns = clock_now_ns(CLOCK_MONOTONIC) + PATIENCE_NS;
    while (prof_inner_tids_outer(&tids, self, self) != self)
        CHECK(clock_now_ns(CLOCK_MONOTONIC) < until_ns);
    prof_inner_tids_fini(&tids);
}

TEST(who_is_no_thread_is_nobody)
{
    struct prof_inner_tids tids = {.next_ns = 0};
    CHECK_EQ(prof_inner_tids_outer(&tids, (uint32_t)getpid(), UINT32_MAX), 0);
    prof_inner_tids_fini(&tids);
}

TEST(who_was_listed_needs_no_list)
{
    struct prof_inner_tids tids = {.next_ns = 0};
    const uint32_t self = (uint32_t)getpid(), nobody = UINT32_MAX;
    CHECK_EQ(prof_inner_tids_outer(&tids, self, self), self);
    CHECK_EQ(prof_inner_tids_outer(&tids, nobody, self), self);
    prof_inner_tids_fini(&tids);
}
