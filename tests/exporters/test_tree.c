/* Display frames and the merged call tree. */
#include "tests/harness.h"

#include <stdio.h>
#include <string.h>

#include "exporters/tree.h"
#include "tests/exporters/profiles.h"

/* The node at a path of names below the root, separated by ';'. */
static const struct exp_node *find_node(
    const struct exp_tree *tree, const char *path)
{
    uint32_t id = EXP_NODE_ROOT;
    while (*path && id != EXP_NODE_NONE) {
        size_t bytes = strcspn(path, ";");
        uint32_t child = exp_tree_node(tree, id)->first_child;
        for (; child != EXP_NODE_NONE;
             child = exp_tree_node(tree, child)->next_sibling) {
            const char *name = exp_tree_text(tree, child);
            if (strlen(name) == bytes && strncmp(name, path, bytes) == 0)
                break;
        }
        id = child;
        path += bytes + (path[bytes] == ';');
    }
    return id == EXP_NODE_NONE ? NULL : exp_tree_node(tree, id);
}

static const struct exp_options defaults;

TEST(tree_expands_inlined_functions_below_the_one_that_holds_them)
{
    struct prof_profile *profile = profile_story();
    struct exp_tree *tree = exp_tree_create(profile, &defaults);
    const struct exp_node *bit =
        find_node(tree, "pack;_start;main;compress;put_bits;put_bit");
    assert_non_null(bit);
    CHECK(bit->frame.is_inlined);
    CHECK_EQ(bit->self, 8000000);
    CHECK_EQ(bit->frame.line, 12);
    CHECK(!find_node(tree, "pack;_start;main;compress")->frame.is_inlined);
    exp_tree_destroy(tree);
    prof_profile_destroy(profile);
}

TEST(tree_knows_what_of_a_node_is_off_cpu)
{
    const struct exp_options options = {.with_threads = true};
    struct prof_profile *profile = profile_asleep();
    struct exp_tree *tree = exp_tree_create(profile, &options);
    const struct exp_node *wait =
        find_node(tree, "serve;serve-100;main;epoll_wait");
    CHECK_EQ(wait->total, 720000000);
    CHECK_EQ(wait->off, 700000000);
    CHECK_EQ(find_node(tree, "serve;worker-101;work")->off, 250000000);
    CHECK_EQ(find_node(tree, "serve;worker-101")->off, 450000000);
    CHECK_EQ(exp_tree_node(tree, EXP_NODE_ROOT)->off, 1150000000);
    /* Whose time it was is known, if not where it was spent. */
    assert_non_null(find_node(tree, "serve;worker-101;[off-cpu]"));
    exp_tree_destroy(tree);
    prof_profile_destroy(profile);
}

TEST(tree_classes_frames_by_where_their_code_lies)
{
    static const struct {
        const char *path;
        enum exp_kind kind;
    } wanted[] = {
        {"", EXP_KIND_PROCESS},
        {"pack", EXP_KIND_PROCESS},
        {"pack;_start", EXP_KIND_APPLICATION},
        {"pack;_start;main;compress;memcpy", EXP_KIND_LIBRARY},
        {"pack;_start;main;write;vfs_write", EXP_KIND_KERNEL},
        {"pack;_start;main;[libc.so.6+0xbeef]", EXP_KIND_UNKNOWN},
        {"pack;[exit]", EXP_KIND_ACCOUNT},
    };
    struct prof_profile *profile = profile_story();
    struct exp_tree *tree = exp_tree_create(profile, &defaults);
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        const struct exp_node *node = find_node(tree, wanted[i].path);
        assert_non_null(node);
        CHECK_EQ(node->frame.kind, wanted[i].kind);
    }
    exp_tree_destroy(tree);
    prof_profile_destroy(profile);
}

TEST(tree_takes_a_programs_executable_for_application_wherever_it_lies)
{
    struct prof_profile *profile = profile_large(50);
    struct exp_tree *tree = exp_tree_create(profile, &defaults);
    uint32_t kinds[EXP_KIND_COUNT] = {0};
    for (uint32_t id = 0; id < exp_tree_count(tree); id++)
        kinds[exp_tree_node(tree, id)->frame.kind]++;
    CHECK(kinds[EXP_KIND_APPLICATION] > 100);
    CHECK(kinds[EXP_KIND_LIBRARY] > 10);
    CHECK(kinds[EXP_KIND_KERNEL] > 1);
    exp_tree_destroy(tree);
    prof_profile_destroy(profile);
}

TEST(tree_names_the_line_that_rules_a_node_and_admits_others)
{
    struct prof_profile *profile = profile_story();
    struct exp_tree *tree = exp_tree_create(profile, &defaults);
    const struct exp_node *compress =
        find_node(tree, "pack;_start;main;compress");
    /* 10 ms at line 200, 8 at 204 and below, 8 at 208. */
    CHECK_EQ(compress->frame.line, 200);
    CHECK(compress->has_other_lines);
    const struct exp_node *entry = find_node(tree, "pack;_start;main");
    CHECK_EQ(entry->frame.line, 40);
    CHECK(!entry->has_other_lines);
    exp_tree_destroy(tree);
    prof_profile_destroy(profile);
}

TEST(tree_totals_are_what_is_below_and_the_root_has_it_all)
{
    struct prof_profile *profile = profile_large(3000);
    struct exp_tree *tree = exp_tree_create(profile, &defaults);
    for (uint32_t id = 0; id < exp_tree_count(tree); id++) {
        const struct exp_node *node = exp_tree_node(tree, id);
        uint64_t sum = node->self;
        for (uint32_t child = node->first_child; child != EXP_NODE_NONE;
             child = exp_tree_node(tree, child)->next_sibling)
            sum += exp_tree_node(tree, child)->total;
        CHECK_EQ(sum, node->total);
    }
    CHECK_EQ(exp_tree_node(tree, EXP_NODE_ROOT)->total, 3000000000);
    exp_tree_destroy(tree);
    prof_profile_destroy(profile);
}

TEST(tree_walk_visits_every_node_once_and_siblings_by_name)
{
    struct prof_profile *profile = profile_large(3000);
    struct exp_tree *tree = exp_tree_create(profile, &defaults);
    uint32_t count = 0;
    for (uint32_t id = EXP_NODE_ROOT; id != EXP_NODE_NONE;
         id = exp_tree_next(tree, id)) {
        const struct exp_node *node = exp_tree_node(tree, id);
        count++;
        if (node->next_sibling != EXP_NODE_NONE)
            CHECK(
                strcmp(
                    exp_tree_text(tree, id),
                    exp_tree_text(tree, node->next_sibling)) < 0);
    }
    CHECK_EQ(count, exp_tree_count(tree));
    exp_tree_destroy(tree);
    prof_profile_destroy(profile);
}

TEST(tree_knows_where_a_sample_ends)
{
    struct prof_profile *profile = profile_story();
    struct exp_tree *tree = exp_tree_create(profile, &defaults);
    CHECK_STR(exp_tree_text(tree, exp_tree_leaf(tree, 0)), "compress");
    CHECK_STR(exp_tree_text(tree, exp_tree_leaf(tree, 2)), "put_bit");
    CHECK_STR(exp_tree_text(tree, exp_tree_leaf(tree, 10)), "pack");
    exp_tree_destroy(tree);
    prof_profile_destroy(profile);
}

TEST(tree_puts_threads_below_processes_and_accounts_beside_them)
{
    struct exp_options options = {.with_threads = true};
    struct prof_profile *profile = profile_two_processes();
    struct exp_tree *tree = exp_tree_create(profile, &options);
    CHECK(find_node(tree, "Web Content-10;10;main") != NULL);
    CHECK(find_node(tree, "Web Content-10;pool worker-11;main;work") != NULL);
    CHECK(find_node(tree, "Web Content-20;[exit]") != NULL);
    exp_tree_destroy(tree);
    prof_profile_destroy(profile);
}

TEST(tree_stops_sums_that_do_not_fit_at_the_largest_number)
{
    struct prof_profile *profile = profile_huge_counts();
    struct exp_tree *tree = exp_tree_create(profile, &defaults);
    CHECK(exp_tree_node(tree, EXP_NODE_ROOT)->total == UINT64_MAX);
    CHECK(find_node(tree, "huge;main;a")->total == UINT64_MAX / 2);
    CHECK(find_node(tree, "huge;main;b")->total == UINT64_MAX - 1);
    exp_tree_destroy(tree);
    prof_profile_destroy(profile);
}

TEST(tree_stands_100000_stacks_and_2400_frames)
{
    struct prof_profile *profile = profile_large(100000);
    struct exp_tree *tree = exp_tree_create(profile, &defaults);
    assert_non_null(tree);
    CHECK(exp_tree_node(tree, EXP_NODE_ROOT)->total == 100000ull * 1000000);
    exp_tree_destroy(tree);
    prof_profile_destroy(profile);

    profile = profile_deep(2400);
    tree = exp_tree_create(profile, &defaults);
    CHECK_EQ(exp_tree_depth(tree), 2401);
    exp_tree_destroy(tree);
    prof_profile_destroy(profile);
}

TEST(tree_counts_samples_but_no_accounts_when_asked_for_samples)
{
    struct exp_options options = {.unit = EXP_UNIT_SAMPLES};
    struct prof_profile *profile = profile_story();
    struct exp_tree *tree = exp_tree_create(profile, &options);
    CHECK_EQ(exp_tree_node(tree, EXP_NODE_ROOT)->total, 11);
    CHECK_EQ(find_node(tree, "pack;[exit]")->total, 0);
    exp_tree_destroy(tree);
    prof_profile_destroy(profile);
}

static void check_program_name(
    const char *comm, const char *path, const char *wanted)
{
    struct prof_profile *profile = prof_profile_create();
    struct prof_process row = {
        .pid = 3,
        .name = prof_profile_string(profile, comm),
        .path = prof_profile_string(profile, path)};
    uint32_t process = prof_profile_add_process(profile, &row);
    struct exp_frames *frames = exp_frames_create(profile);
    struct exp_frame frame;
    CHECK(exp_frames_process(frames, process, &frame));
    CHECK_STR(exp_frames_text(frames, frame.name), wanted);
    exp_frames_destroy(frames);
    prof_profile_destroy(profile);
}

TEST(frames_name_a_process_by_its_program)
{
    check_program_name("cc1plus", "/usr/lib/gcc/cc1plus", "cc1plus");
    check_program_name("renamed", "/usr/bin/server", "renamed");
    check_program_name("", "/usr/bin/server", "server");
    check_program_name("", "", "process");
    /* The kernel keeps 15 bytes of a name. */
    check_program_name(
        "chromium-headle", "/usr/bin/chromium-headless-shell",
        "chromium-headless-shell");
}
