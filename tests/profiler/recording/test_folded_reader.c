/* The reader of folded text. */
#include "tests/harness.h"

#include <stdlib.h>
#include <string.h>

#include "profiler/recording/reader.h"
#include "tests/profiler/recording/fixture.h"

static enum status read_text(
    const char *text, struct prof_profile **profile, struct diag *diag)
{
    *profile = prof_profile_create();
    fixture_write(fixture_path("a.folded"), text, strlen(text));
    return prof_recording_read(fixture_path("a.folded"), *profile, diag);
}

static void check_reads(const char *text, const char *wanted)
{
    struct prof_profile *p;
    struct diag diag;
    CHECK_OK(read_text(text, &p, &diag));
    CHECK_STR(diag.text, "");
    char *actual = fixture_render(p, 0);
    fixture_check_lines(actual, wanted);
    free(actual);
    prof_profile_destroy(p);
}

static void check_line_fails(const char *line)
{
    struct prof_profile *p;
    struct diag diag;
    char text[256] = "main;f 1\nmain;g 2\n";
    strcat(text, line);
    CHECK_EQ(read_text(text, &p, &diag), STATUS_MALFORMED);
    CHECK(strstr(diag.text, "' line 3 is not frames") != NULL);
    prof_profile_destroy(p);
}

TEST(folded_lines_are_stacks_from_the_root)
{
    check_reads(
        "main;parse;read 12\nmain 3\n\nop(a, b) const;x y 1\r\n",
        "0 1 {x y} {op(a, b) const}\n0 12 {read} {parse} {main}\n"
        "0 3 {main}\n");
}

TEST(folded_counts_may_be_as_large_as_64_bits_and_the_last_line_open)
{
    check_reads(
        "a 18446744073709551615\nb 0", "0 0 {b}\n0 18446744073709551615 {a}\n");
}

TEST(folded_counts_are_samples)
{
    struct prof_profile *p;
    CHECK_OK(read_text("a;b 7\n", &p, NULL));
    const struct prof_value_type *type = prof_profile_value_type(p, 0);
    CHECK_STR(prof_profile_text(p, type->name), "samples");
    CHECK_STR(prof_profile_text(p, type->unit), "count");
    CHECK_EQ(prof_profile_thread_count(p), 1);
    prof_profile_destroy(p);
}

TEST(folded_lines_that_are_no_stack_are_refused_by_number)
{
    check_line_fails("main;h");
    check_line_fails("main;h 1.5");
    check_line_fails("main;h -1");
    check_line_fails("main;h 18446744073709551616");
    check_line_fails("main;;h 1");
    check_line_fails(";h 1");
    check_line_fails("h; 1");
    check_line_fails(" 1");
    check_line_fails("1");
    check_line_fails("main;h\x01 1");
    check_line_fails("main;h 1 ");
}

TEST(folders_and_missing_files_are_told_apart)
{
    struct prof_profile *p = prof_profile_create();
    struct diag diag;
    CHECK_EQ(prof_recording_read("/", p, &diag), STATUS_UNSUPPORTED);
    CHECK(strstr(diag.text, "'/' is a folder") != NULL);
    CHECK_EQ(
        prof_recording_read(fixture_path("missing"), p, &diag), STATUS_SYSTEM);
    CHECK(strstr(diag.text, "No such file") != NULL);
    prof_profile_destroy(p);
}

TEST(text_of_another_kind_is_not_taken_for_folded)
{
    struct prof_profile *p;
    struct diag diag;
    CHECK_EQ(read_text("{\"version\": 3}\n", &p, &diag), STATUS_UNSUPPORTED);
    prof_profile_destroy(p);
    CHECK_EQ(read_text("\n\n", &p, &diag), STATUS_UNSUPPORTED);
    prof_profile_destroy(p);
}
