/* Accounts of processes, and the tree's. */
#include "tests/harness.h"

#include <string.h>

#include "profiler/tap/process.h"
#include "profiler/tap/rests.h"

static struct prof_tap_common *fresh(void)
{
    static struct prof_tap_common common;
    common = (struct prof_tap_common){
        .profile = prof_profile_create(),
        .rests = {.row_bytes = sizeof(struct prof_tap_rest)}};
    common.value_cpu =
        prof_profile_add_value_type(common.profile, "cpu", "nanoseconds");
    return &common;
}

static void add(
    struct prof_tap_common *common, uint64_t used_ns, uint64_t given_ns)
{
    struct prof_process process = {.pid = common->rests.count + 1};
    struct prof_tap_rest rest = {
        .process = prof_profile_add_process(common->profile, &process),
        .used_ns = used_ns,
        .given_ns = given_ns};
    struct prof_thread thread = {.process = rest.process, .tid = process.pid};
    rest.thread = prof_profile_add_thread(common->profile, &thread);
    (void)table_add(&common->rests, &rest);
}

/* What stands under [unsampled] for thread `thread`. */
static uint64_t unsampled(const struct prof_tap_common *common, uint32_t thread)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < prof_profile_sample_count(common->profile); i++) {
        const struct prof_sample *sample =
            prof_profile_sample(common->profile, i);
        if (sample->thread == thread)
            sum += sample->values[common->value_cpu];
    }
    return sum;
}

static uint64_t figure(const struct prof_tap_common *common)
{
    return prof_profile_read_origin(common->profile)->cpu_ns;
}

static void done(struct prof_tap_common *common)
{
    table_fini(&common->rests);
    prof_profile_destroy(common->profile);
}

TEST(what_no_sample_covers_is_unsampled)
{
    struct prof_tap_common *common = fresh();
    add(common, 1000, 900);
    add(common, 500, 500);
    prof_tap_rests_close(common, 0, 0);
    CHECK_EQ(unsampled(common, 0), 100);
    CHECK_EQ(unsampled(common, 1), 0);
    CHECK_EQ(figure(common), 1500);
    CHECK_EQ(prof_profile_process(common->profile, 0)->cpu_ns, 1000);
    done(common);
}

/* The kernel swaps events between a process and its child. */
TEST(one_has_too_many_samples_what_another_has_too_few)
{
    struct prof_tap_common *common = fresh();
    add(common, 1000, 600);
    add(common, 1000, 1300);
    prof_tap_rests_close(common, 0, 0);
    CHECK_EQ(unsampled(common, 0), 100);
    CHECK_EQ(figure(common), 2000);
    done(common);
}

TEST(the_kernels_figure_of_the_tree_is_reached)
{
    struct prof_tap_common *common = fresh();
    add(common, 1000, 900);
    add(common, 0, 0); /* gone before its clock was read */
    common->unread_count = 1;
    prof_tap_rests_close(common, 1700, 0);
    CHECK_EQ(unsampled(common, 0) + unsampled(common, 1), 800);
    CHECK_EQ(figure(common), 1700);
    done(common);
}

TEST(where_it_is_not_known_the_events_count_is_taken)
{
    struct prof_tap_common *common = fresh();
    add(common, 1000, 900);
    common->unread_count = 1;
    prof_tap_rests_close(common, 0, 1200);
    CHECK_EQ(unsampled(common, 0), 300);
    done(common);
}

TEST(but_not_where_all_clocks_were_read)
{
    struct prof_tap_common *common = fresh();
    add(common, 1000, 900);
    prof_tap_rests_close(common, 0, 1200);
    CHECK_EQ(unsampled(common, 0), 100);
    CHECK_EQ(figure(common), 1000);
    done(common);
}
