/* The flame graph's file. How it behaves is test_browser.py's part. */
#include "tests/harness.h"

#include <stdlib.h>
#include <string.h>

#include "exporters/page.h"
#include "exporters/svg.h"
#include "exporters/tree.h"
#include "exporters/writer.h"
#include "tests/exporters/golden.h"
#include "tests/exporters/profiles.h"

/* Put a short word where the script and the style sheet stand. */
static void write_without(
    struct exp_writer *out, const char *bytes, const char *asset,
    const char *word)
{
    const char *at = strstr(bytes, asset);
    assert_non_null(at);
    exp_write(out, bytes, (size_t)(at - bytes));
    exp_write_text(out, word);
    exp_write_text(out, at + strlen(asset));
}

static char *svg_of(struct prof_profile *profile, struct exp_options options)
{
    struct exp_writer *writer = exp_writer_create_memory();
    exp_svg_write(profile, &options, writer);
    prof_profile_destroy(profile);
    char *bytes = exp_writer_take(writer);
    assert_non_null(bytes);
    return bytes;
}

static void check_svg(
    struct prof_profile *profile, struct exp_options options, const char *name)
{
    char *bytes = svg_of(profile, options);
    struct exp_writer *no_script = exp_writer_create_memory();
    write_without(no_script, bytes, exp_flamegraph_js, "flamegraph.js\n");
    size_t count;
    struct exp_writer *bare = exp_writer_create_memory();
    write_without(
        bare, exp_writer_bytes(no_script, &count), exp_flamegraph_css,
        "flamegraph.css\n");
    const char *bare_bytes = exp_writer_bytes(bare, &count);
    check_golden(name, bare_bytes, count);
    exp_writer_destroy(bare);
    exp_writer_destroy(no_script);
    free(bytes);
}

TEST(svg_shows_frames_heads_and_losses_without_a_script)
{
    check_svg(profile_story(), (struct exp_options){0}, "story.svg");
}

TEST(svg_marks_what_of_a_frame_is_off_cpu)
{
    struct exp_options options = {.with_threads = true};
    check_svg(profile_asleep(), options, "asleep.svg");
}

TEST(svg_can_grow_downwards_with_threads_and_a_title_of_ones_own)
{
    struct exp_options options = {
        .is_icicle = true, .with_threads = true, .title = "Two & <more>"};
    check_svg(profile_two_processes(), options, "two-threads.svg");
}

TEST(svg_escapes_what_xml_and_scripts_could_misread)
{
    check_svg(profile_ugly_names(), (struct exp_options){0}, "ugly.svg");
}

TEST(svg_of_no_samples_is_a_picture_with_one_frame)
{
    check_svg(profile_empty(), (struct exp_options){0}, "empty.svg");
}

TEST(svg_stands_huge_counts)
{
    check_svg(profile_huge_counts(), (struct exp_options){0}, "huge.svg");
}

TEST(svg_is_as_tall_as_a_stack_of_2400_frames)
{
    char *bytes = svg_of(profile_deep(2400), (struct exp_options){0});
    CHECK(strstr(bytes, "height=\"43346\"") != NULL);
    CHECK(strstr(bytes, "level_2399") != NULL);
    free(bytes);
}

TEST(svg_of_3000_compiler_samples_is_below_a_megabyte_and_a_half)
{
    char *bytes = svg_of(profile_large(3000), (struct exp_options){0});
    CHECK(strlen(bytes) < 1500 * 1000);
    free(bytes);
}

TEST(svg_leaves_out_what_is_below_a_tenth_of_a_pixel)
{
    struct prof_profile *profile = profile_large(60000);
    struct exp_page *page = exp_page_create(profile, &(struct exp_options){0});
    assert_non_null(page);
    const struct exp_node *root = exp_tree_node(page->tree, EXP_NODE_ROOT);
    CHECK(page->cell.count < exp_tree_count(page->tree) / 2);
    CHECK_EQ(root->total, 60000ull * 1000000);
    for (uint32_t at = 0; at < page->cell.count; at++) {
        const struct exp_cell *cell = table_row(&page->cell, at);
        const struct exp_node *node = exp_tree_node(page->tree, cell->node);
        CHECK(node->total >= root->total / 12000);
        CHECK(cell->start + node->total <= root->total);
    }
    exp_page_destroy(page);
    prof_profile_destroy(profile);
}
