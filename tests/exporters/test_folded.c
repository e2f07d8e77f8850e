/* Folded stacks. */
#include "tests/harness.h"

#include <stdio.h>
#include <string.h>

#include "exporters/folded.h"
#include "exporters/writer.h"
#include "profiler/recording/folded_reader.h"
#include "tests/exporters/golden.h"
#include "tests/exporters/profiles.h"

static void check_folded(
    struct prof_profile *profile, struct exp_options options, const char *name)
{
    struct exp_writer *writer = exp_writer_create_memory();
    exp_folded_write(profile, &options, writer);
    check_golden_writer(name, writer);
    exp_writer_destroy(writer);
    prof_profile_destroy(profile);
}

TEST(folded_has_one_line_per_stack_in_nanoseconds)
{
    check_folded(profile_story(), (struct exp_options){0}, "story.folded");
}

TEST(folded_counts_samples_and_marks_inlined_frames_on_request)
{
    struct exp_options options = {
        .unit = EXP_UNIT_SAMPLES, .mark_inlined = true};
    check_folded(profile_story(), options, "story-samples.folded");
}

TEST(folded_counts_wall_time_and_leaves_states_to_others)
{
    struct exp_options options = {.with_threads = true};
    check_folded(profile_asleep(), options, "asleep.folded");
}

TEST(folded_tells_processes_apart_by_pid)
{
    check_folded(
        profile_two_processes(), (struct exp_options){0},
        "two-processes.folded");
}

TEST(folded_shows_threads_on_request_and_accounts_below_the_process)
{
    struct exp_options options = {.with_threads = true};
    check_folded(profile_two_processes(), options, "two-threads.folded");
}

TEST(folded_keeps_its_separators_to_itself)
{
    check_folded(profile_ugly_names(), (struct exp_options){0}, "ugly.folded");
}

TEST(folded_of_no_samples_is_empty)
{
    check_folded(profile_empty(), (struct exp_options){0}, "empty.folded");
}

TEST(folded_keeps_huge_counts_apart_and_stops_sums_at_the_largest_number)
{
    check_folded(profile_huge_counts(), (struct exp_options){0}, "huge.folded");
}

TEST(folded_stands_a_stack_of_2400_frames)
{
    struct prof_profile *profile = profile_deep(2400);
    struct exp_writer *writer = exp_writer_create_memory();
    exp_folded_write(profile, &(struct exp_options){0}, writer);
    size_t count;
    const char *bytes = exp_writer_bytes(writer, &count);
    assert_non_null(bytes);
    CHECK(strncmp(bytes, "deep;level_0;level_1;", 21) == 0);
    CHECK(strstr(bytes, ";level_1200 1000000\n") != NULL);
    CHECK(strstr(bytes, ";level_2399 3000000\n") != NULL);
    exp_writer_destroy(writer);
    prof_profile_destroy(profile);
}

TEST(folded_text_that_was_read_is_written_as_it_was)
{
    static const char text[] = "a;b_[k] 2\na;c d;[exit] 3\nb 18446744\n";
    struct prof_profile *profile = prof_profile_create();
    FILE *file = fmemopen((void *)text, strlen(text), "r");
    CHECK_OK(prof_folded_read(file, "text", profile, NULL));
    (void)fclose(file);
    struct exp_writer *writer = exp_writer_create_memory();
    exp_folded_write(profile, &(struct exp_options){0}, writer);
    size_t count;
    CHECK_STR(exp_writer_bytes(writer, &count), text);
    exp_writer_destroy(writer);
    prof_profile_destroy(profile);
}
