/* Samples that are summed: what is kept of them, and how much that takes. */
#include "tests/harness.h"

#include <stdio.h>

#include "profiler/model/profile.h"

enum { STACKS = 1000, THREADS = 8, MILLION = 1000000, AT_ONCE = 4096 };

/* Two processes of four threads, and so many stacks below one root. */
static struct prof_profile *make_profile(uint32_t *stacks)
{
    struct prof_profile *p = prof_profile_create();
    (void)prof_profile_add_value_type(p, "cpu", "nanoseconds");
    (void)prof_profile_add_value_type(p, "samples", "count");
    for (uint32_t i = 0; i < 2; i++)
        (void)prof_profile_add_process(
            p, &(struct prof_process){.pid = 10 + i});
    for (uint32_t i = 0; i < THREADS; i++)
        (void)prof_profile_add_thread(
            p, &(struct prof_thread){.process = i / 4, .tid = 10 + i});
    for (uint32_t i = 0; i < STACKS; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "function_%u", i);
        stacks[i] = prof_profile_add_stack(
            p, PROF_NONE,
            prof_profile_add_named_frame(p, PROF_FRAME_NAMED, name));
    }
    return p;
}

static struct prof_sample sample_of(
    uint64_t number, uint32_t thread, uint32_t stack)
{
    return (struct prof_sample){
        .time_ns = number,
        .thread = thread,
        .stack = stack,
        .state = PROF_STATE_ON_CPU,
        .values = {number % 7 + 1, 1}};
}

TEST(samples_summed_as_they_come_take_memory_for_stacks_not_for_time)
{
    uint32_t stacks[STACKS];
    struct prof_profile *p = make_profile(stacks);
    uint64_t sum = 0, before = test_allocated_bytes(), most = 0;
    for (uint64_t i = 0; i < 10 * MILLION; i++) {
        struct prof_sample sample =
            sample_of(i, (uint32_t)(i / STACKS % THREADS), stacks[i % STACKS]);
        CHECK(prof_profile_add_sample(p, &sample) != PROF_NONE);
        sum += sample.values[0];
        if (i % AT_ONCE == 0)
            prof_profile_sum_samples(p, true);
        if (i % MILLION == 0 && test_allocated_bytes() > most)
            most = test_allocated_bytes();
    }
    CHECK_EQ(prof_profile_added_count(p), 10 * MILLION);
    prof_profile_sum_samples(p, true);
    CHECK_EQ(prof_profile_summed_count(p), 10 * MILLION);
    CHECK_EQ(prof_profile_sample_count(p), STACKS * THREADS);
    CHECK(most - before < 4 << 20); /* one by one: 560 MB */

    uint64_t summed = 0, count = 0, samples = 0;
    for (uint32_t id = 0; id < prof_profile_sample_count(p); id++) {
        const struct prof_sample *row = prof_profile_sample(p, id);
        summed += row->values[0];
        samples += row->values[1];
        count += row->count;
    }
    CHECK_EQ(summed, sum);
    CHECK_EQ(count, 10 * MILLION);
    CHECK_EQ(samples, 10 * MILLION);
    CHECK_OK(prof_profile_status(p));
    prof_profile_destroy(p);
}

TEST(samples_are_alike_by_stack_state_flags_and_thread_or_process)
{
    uint32_t stacks[STACKS];
    struct prof_profile *p = make_profile(stacks);
    for (int pass = 0; pass < 2; pass++) {
        struct prof_sample sample = sample_of(1, 0, stacks[0]);
        (void)prof_profile_add_sample(p, &sample);
        sample.thread = 3; /* of the same process */
        (void)prof_profile_add_sample(p, &sample);
        sample.thread = 4; /* of the other */
        (void)prof_profile_add_sample(p, &sample);
        sample.state = PROF_STATE_SLEEPING;
        (void)prof_profile_add_sample(p, &sample);
        sample.flags = PROF_SAMPLE_TRUNCATED;
        (void)prof_profile_add_sample(p, &sample);
        sample.stack = PROF_NONE;
        (void)prof_profile_add_sample(p, &sample);
        prof_profile_sum_samples(p, false);
        CHECK_EQ(prof_profile_sample_count(p), 5);
    }
    CHECK_EQ(prof_profile_sample(p, 0)->count, 4);
    CHECK_EQ(prof_profile_sample(p, 0)->values[0], 8);
    CHECK_EQ(prof_profile_sample(p, 4)->count, 2);
    prof_profile_destroy(p);
}

TEST(samples_added_later_stand_behind_the_sums_and_keep_their_numbers)
{
    uint32_t stacks[STACKS];
    struct prof_profile *p = make_profile(stacks);
    for (uint32_t i = 0; i < 5; i++) {
        struct prof_sample sample = sample_of(i, i, stacks[0]);
        CHECK_EQ(prof_profile_add_sample(p, &sample), i < 4 ? i : 1);
        if (i == 3)
            prof_profile_sum_samples(p, false);
    }
    CHECK_EQ(prof_profile_sample_count(p), 2);
    CHECK_EQ(prof_profile_sample(p, 0)->count, 4);
    CHECK_EQ(prof_profile_sample(p, 1)->time_ns, 4);
    CHECK_EQ(prof_profile_sample(p, 1)->count, 1);
    CHECK_EQ(prof_profile_summed_count(p), 4);
    CHECK_EQ(prof_profile_added_count(p), 5);
    CHECK_EQ(prof_profile_added_sample(p, 4)->time_ns, 4);
    prof_profile_destroy(p);
}

TEST(samples_before_a_number_are_summed_and_later_ones_stay_single)
{
    uint32_t stacks[STACKS];
    struct prof_profile *p = make_profile(stacks);
    for (uint64_t i = 0; i < 10; i++) {
        struct prof_sample sample = sample_of(i, 0, stacks[i % 2]);
        (void)prof_profile_add_sample(p, &sample);
    }
    prof_profile_sum_samples_before(p, 6, true);
    CHECK_EQ(prof_profile_summed_count(p), 6);
    CHECK_EQ(prof_profile_sample_count(p), 2 + 4);
    CHECK_EQ(prof_profile_added_sample(p, 6)->time_ns, 6);
    prof_profile_sum_samples_before(p, 3, true); /* which they are already */
    CHECK_EQ(prof_profile_summed_count(p), 6);
    prof_profile_sum_samples_before(p, 1000, true);
    CHECK_EQ(prof_profile_summed_count(p), 10);
    CHECK_EQ(prof_profile_sample_count(p), 2);
    prof_profile_destroy(p);
}

TEST(readings_are_forgotten_by_their_time)
{
    struct prof_profile *p = prof_profile_create();
    for (uint64_t i = 0; i < 5; i++)
        (void)prof_profile_add_reading(
            p, &(struct prof_reading){.time_ns = i, .cpu_ns = 10 * i});
    prof_profile_forget_readings(p, 3);
    CHECK_EQ(prof_profile_reading_count(p), 2);
    CHECK_EQ(prof_profile_reading(p, 0)->cpu_ns, 30);
    prof_profile_forget_readings(p, 9);
    CHECK_EQ(prof_profile_reading_count(p), 0);
    prof_profile_destroy(p);
}
