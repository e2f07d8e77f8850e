/* Whom it is about, what the kernel tells of a thread. */
#include "tests/harness.h"

#include <unistd.h>

#include "profiler/tap/process.h"

enum { PERIOD_NS = 1000000, FIRST = 5000001, SECOND = 5000002 }; /* nobody's */

static struct prof_tap_common common;

static struct prof_tap_process *begin(void)
{
    prof_tap_common_init(&common, prof_profile_create(), PERIOD_NS, false);
    struct prof_tap_process *process =
        prof_tap_process_meet(&common, (uint32_t)getpid());
    assert_non_null(process);
    return process;
}

static void end(struct prof_tap_process *process)
{
    prof_tap_process_drop(&process, 0);
    prof_profile_destroy(common.profile);
    prof_tap_common_fini(&common);
}

/* The number of the thread that such a sample is given to. */
static uint32_t sampled(struct prof_tap_process *process, uint32_t tid)
{
    const struct prof_tap_record record = {.tid = tid};
    prof_tap_process_sample(process, &record);
    uint32_t last = prof_profile_sample_count(common.profile) - 1;
    const struct prof_sample *row = prof_profile_sample(common.profile, last);
    return prof_profile_thread(common.profile, row->thread)->tid;
}

TEST(a_sample_without_a_number_is_of_who_ended_last)
{
    struct prof_tap_process *process = begin();
    CHECK_EQ(sampled(process, FIRST), FIRST);
    CHECK_EQ(sampled(process, SECOND), SECOND);
    prof_tap_process_end_thread(process, FIRST);
    CHECK_EQ(sampled(process, PROF_TAP_TID_GONE), FIRST);
    prof_tap_process_end_thread(process, SECOND);
    prof_tap_process_end_thread(process, FIRST); /* it has ended already */
    CHECK_EQ(sampled(process, PROF_TAP_TID_GONE), SECOND);
    end(process);
}

TEST(a_sample_without_a_number_of_who_was_never_met_is_its_process_s)
{
    struct prof_tap_process *process = begin();
    CHECK_EQ(sampled(process, PROF_TAP_TID_GONE), getpid());
    CHECK_EQ(process->given_ns, PERIOD_NS);
    end(process);
}
