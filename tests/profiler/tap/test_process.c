/* Whom it is about, what the kernel tells of a thread. */
#include "tests/harness.h"

#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "profiler/base/clock.h"
#include "profiler/tap/process.h"
#include "profiler/unwind/sig_reader.h"
#include "profiler/unwind/sig_regs.h"

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

/* ---- a stack deeper than its copy ---- */

enum { DEPTH = 60, COPY_BYTES = 4096, WORD = 8 };

static void (*visit)(const struct prof_tap_moment *moment);

/* Visit a moment of this thread, of which the kernel copied the end. */
__attribute__((noipa)) static void visit_moment(void)
{
    static uint64_t copy[COPY_BYTES / WORD];
    ucontext_t context;
    struct prof_regs regs;
    (void)getcontext(&context);
    prof_regs_from_ucontext(&regs, &context);
    /* From the caller's frames on all stays as it is. */
    for (int i = 0; i < COPY_BYTES / WORD; i++)
        copy[i] = prof_slot_at(regs.value[PROF_REG_SP] + (uint64_t)i * WORD);
    const struct prof_tap_moment moment = {
        .weight_ns = PERIOD_NS,
        .regs = &regs,
        .stack = (const uint8_t *)copy,
        .stack_bytes = sizeof copy};
    visit(&moment);
}

/* Small frames, also in a build that surrounds each variable. */
__attribute__((noipa)) static int descend(int depth)
{
    volatile char room[64];
    room[0] = (char)depth;
    if (depth > 0)
        return descend(depth - 1) + room[0];
    visit_moment();
    return room[0];
}

static bool is_cut(
    struct prof_tap_process *process, const struct prof_tap_moment *moment)
{
    struct prof_tap_moment now = *moment;
    struct prof_tap_thread *thread =
        prof_tap_process_thread(process, (uint32_t)getpid());
    now.time_ns = clock_now_ns(CLOCK_MONOTONIC);
    prof_tap_process_add(process, thread, &now);
    uint32_t last = prof_profile_sample_count(common.profile) - 1;
    return prof_profile_sample(common.profile, last)->flags &
           PROF_SAMPLE_TRUNCATED;
}

static void complete_unless_behind(const struct prof_tap_moment *moment)
{
    struct prof_tap_process *process = begin();
    CHECK(is_cut(process, moment)); /* nobody has seen it before */
    CHECK(!is_cut(process, moment));
    common.is_behind = true;
    CHECK(is_cut(process, moment));
    common.is_behind = false;
    CHECK(!is_cut(process, moment));
    CHECK_EQ(prof_profile_loss(common.profile, PROF_LOSS_CUT), 2);
    end(process);
}

TEST(a_stack_is_completed_from_memory_unless_the_rings_fill_up)
{
    visit = complete_unless_behind;
    (void)descend(DEPTH);
}
