/* The report. */
#include "tests/harness.h"

#include <string.h>

#include "exporters/report_model.h"
#include "exporters/writer.h"
#include "tests/exporters/golden.h"
#include "tests/exporters/profiles.h"

typedef void render(
    const struct exp_report *, const struct exp_report_view *,
    struct exp_writer *);

static void check_report(
    struct prof_profile *profile, struct exp_report_view view, render *write,
    const char *name)
{
    struct exp_options options = {0};
    struct exp_report *report = exp_report_create(profile, &options);
    assert_non_null(report);
    struct exp_writer *writer = exp_writer_create_memory();
    write(report, &view, writer);
    check_golden_writer(name, writer);
    exp_writer_destroy(writer);
    exp_report_destroy(report);
    prof_profile_destroy(profile);
}

static const struct exp_report_row *find_row(
    const struct exp_report *report, const char *name)
{
    for (uint32_t at = 0; at < report->function_count; at++) {
        const struct exp_report_row *row =
            exp_report_row(report, report->by_self[at]);
        if (strcmp(exp_report_row_name(report, row), name) == 0)
            return row;
    }
    return NULL;
}

TEST(report_text_has_functions_by_self_and_by_total)
{
    check_report(
        profile_story(), (struct exp_report_view){0}, exp_report_write_text,
        "story-report.txt");
}

TEST(report_text_fits_a_narrow_terminal)
{
    struct exp_report_view view = {
        .top = 4, .columns = 80, .callers = "memcpy", .callees = "compress"};
    check_report(
        profile_story(), view, exp_report_write_text,
        "story-report-narrow.txt");
}

TEST(report_tells_time_on_and_off_cpu_apart)
{
    check_report(
        profile_asleep(), (struct exp_report_view){0}, exp_report_write_text,
        "asleep-report.txt");
    check_report(
        profile_asleep(), (struct exp_report_view){0}, exp_report_write_json,
        "asleep-report.json");
}

TEST(report_text_lists_processes_and_cleans_what_it_prints)
{
    struct exp_report_view view = {.callers = "wor", .callees = "nothing\x1b"};
    check_report(
        profile_two_processes(), view, exp_report_write_text,
        "two-processes-report.txt");
    check_report(
        profile_ugly_names(), (struct exp_report_view){0},
        exp_report_write_text, "ugly-report.txt");
}

TEST(report_json_has_counts_losses_and_relations)
{
    struct exp_report_view view = {
        .top = 3, .callers = "memcpy", .callees = "main"};
    check_report(
        profile_story(), view, exp_report_write_json, "story-report.json");
}

TEST(report_json_escapes_names)
{
    check_report(
        profile_ugly_names(), (struct exp_report_view){0},
        exp_report_write_json, "ugly-report.json");
}

TEST(report_of_no_samples_says_so)
{
    check_report(
        profile_empty(), (struct exp_report_view){0}, exp_report_write_text,
        "empty-report.txt");
}

TEST(report_counts_recursion_once_in_a_total)
{
    struct prof_profile *profile = profile_story();
    struct exp_options options = {0};
    struct exp_report *report = exp_report_create(profile, &options);
    const struct exp_report_row *walk = find_row(report, "walk");
    assert_non_null(walk);
    CHECK_EQ(walk->self, 2000000);
    CHECK_EQ(walk->total, 4000000);
    exp_report_destroy(report);
    prof_profile_destroy(profile);
}

TEST(report_gives_an_inlined_function_its_own_row)
{
    struct prof_profile *profile = profile_story();
    struct exp_options options = {0};
    struct exp_report *report = exp_report_create(profile, &options);
    CHECK_EQ(find_row(report, "put_bit")->self, 8000000);
    CHECK_EQ(find_row(report, "put_bits")->self, 0);
    CHECK_EQ(find_row(report, "put_bits")->total, 8000000);
    exp_report_destroy(report);
    prof_profile_destroy(profile);
}

/* The total that the relation states; its parts must add up to it. */
static uint64_t related_total(
    const struct exp_report *report, const char *name,
    enum exp_direction direction)
{
    struct exp_relation relation;
    CHECK(exp_relation_init(&relation, report, name, direction));
    uint64_t sum = relation.self;
    for (uint32_t at = 0; at < relation.row_count; at++)
        sum += relation.values[relation.rows[at]];
    CHECK_EQ(sum, relation.total);
    exp_relation_fini(&relation);
    return sum;
}

TEST(report_callers_and_callees_add_up_to_the_total)
{
    struct prof_profile *profile = profile_large(2000);
    struct exp_options options = {0};
    struct exp_report *report = exp_report_create(profile, &options);
    /* Many functions, so that those which recurse through others are there. */
    for (uint32_t at = 0; at < report->function_count; at += 7) {
        const struct exp_report_row *row =
            exp_report_row(report, report->by_total[at]);
        const char *name = exp_report_row_name(report, row);
        CHECK_EQ(related_total(report, name, EXP_CALLERS), row->total);
        CHECK_EQ(related_total(report, name, EXP_CALLEES), row->total);
    }
    exp_report_destroy(report);
    prof_profile_destroy(profile);
}

TEST(report_of_one_thread_has_its_samples_alone)
{
    struct prof_profile *profile = profile_two_processes();
    struct exp_options all = {0}, one = {.only_tid = 11},
                       none = {.only_tid = 9};
    struct exp_report *whole = exp_report_create(profile, &all);
    struct exp_report *part = exp_report_create(profile, &one);
    struct exp_report *empty = exp_report_create(profile, &none);
    uint64_t weight = 0;
    for (uint32_t id = 0; id < prof_profile_sample_count(profile); id++) {
        const struct prof_sample *sample = prof_profile_sample(profile, id);
        if (prof_profile_thread(profile, sample->thread)->tid == 11)
            weight += exp_sample_weight(profile, &one, sample);
    }
    CHECK(weight > 0);
    CHECK_EQ(exp_report_total(part), weight);
    CHECK(exp_report_total(whole) > weight);
    CHECK_EQ(exp_report_total(empty), 0);
    CHECK_EQ(empty->function_count, 0);
    exp_report_destroy(empty);
    exp_report_destroy(part);
    exp_report_destroy(whole);
    prof_profile_destroy(profile);
}
