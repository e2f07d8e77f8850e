/* The OOM killer's count, in trees of control groups as systems have them. */
#include "tests/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiler/collector/oom.h"

enum { PATH_BYTES = 256 };

struct tree {
    char root[PATH_BYTES], told[PATH_BYTES + 8]; /* /proc/PID/cgroup */
    struct prof_oom_ledger ledger;
};

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* A system where the process is in the groups that `told` says. */
static struct tree *make_tree(const char *told)
{
    struct tree *tree = calloc(1, sizeof *tree);
    assert_non_null(tree);
    (void)snprintf(tree->root, sizeof tree->root, "/tmp/wf-oom-XXXXXX");
    assert_non_null(mkdtemp(tree->root));
    (void)snprintf(tree->told, sizeof tree->told, "%s/told", tree->root);
    write_text(tree->told, told);
    prof_oom_ledger_init(&tree->ledger);
    return tree;
}

static void drop_tree(struct tree *tree)
{
    char command[PATH_BYTES + 16];
    (void)snprintf(command, sizeof command, "rm -r '%s'", tree->root);
    assert_int_equal(system(command), 0);
    prof_oom_ledger_fini(&tree->ledger);
    free(tree);
}

/* Also makes the folders that lead there. */
static void set_count(const struct tree *tree, const char *file, int count)
{
    char path[2 * PATH_BYTES], text[64];
    (void)snprintf(path, sizeof path, "%s/%s", tree->root, file);
    for (char *at = path + strlen(tree->root) + 1;
         (at = strchr(at, '/')) != NULL; at++) {
        *at = '\0';
        (void)mkdir(path, 0700);
        *at = '/';
    }
    (void)snprintf(
        text, sizeof text, "low 0\noom 9\noom_kill %d\noom_group_kill 7\n",
        count);
    write_text(path, text);
}

static struct prof_oom begin(const struct tree *tree)
{
    struct prof_oom oom;
    prof_oom_begin_in(&oom, tree->root, tree->told);
    return oom;
}

static void check_place(const char *told, const char *file)
{
    struct tree *tree = make_tree(told);
    set_count(tree, file, 3);
    struct prof_oom oom = begin(tree);
    assert_string_equal(oom.path + strlen(tree->root) + 1, file);
    assert_false(prof_oom_has_killed(&tree->ledger, &oom));
    set_count(tree, file, 4);
    assert_true(prof_oom_has_killed(&tree->ledger, &oom));
    assert_false(prof_oom_has_killed(&tree->ledger, &oom));
    drop_tree(tree);
}

TEST(oom_is_counted_in_the_group_of_version_2)
{
    check_place(
        "0::/system.slice/app.service\n",
        "system.slice/app.service/memory.events");
}

TEST(oom_is_counted_in_the_group_of_version_1)
{
    check_place(
        "9:name=systemd:/x\n4:memory:/docker/0a1b\n0::/\n",
        "memory/docker/0a1b/memory.oom_control");
    check_place(
        "4:hugetlb,memory:/docker/0a1b\n",
        "memory/docker/0a1b/memory.oom_control");
}

TEST(oom_is_counted_where_both_versions_are)
{
    check_place(
        "1:name=systemd:/user\n0::/user/one\n",
        "unified/user/one/memory.events");
}

TEST(oom_is_counted_where_the_mount_is_the_group)
{
    /* In a container: the path is the host's, the mount its own. */
    check_place("0::/kubepods/pod7/0a1b\n", "memory.events");
    check_place("0::/\n", "memory.events");
    check_place("3:memory:/docker/0a1b\n", "memory/memory.oom_control");
}

TEST(oom_is_not_known_where_nothing_counts)
{
    struct tree *tree = make_tree("0::/one\n3:cpu:/one\ngarbage\n::\n");
    struct prof_oom oom = begin(tree);
    assert_string_equal(oom.path, "");
    assert_false(prof_oom_has_killed(&tree->ledger, &oom));
    prof_oom_begin_in(&oom, tree->root, "/nonexistent");
    assert_string_equal(oom.path, "");
    /* Kernels before 4.13 have the file without the count. */
    char path[2 * PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/memory.events", tree->root);
    write_text(path, "low 0\noom 2\n");
    oom = begin(tree);
    assert_string_equal(oom.path, "");
    drop_tree(tree);
}

/* One that somebody kills beside another is not the OOM killer's as well. */
TEST(oom_kills_of_a_group_are_told_as_often_as_they_happened)
{
    struct tree *tree = make_tree("0::/one\n");
    set_count(tree, "one/memory.events", 0);
    struct prof_oom first = begin(tree), second = begin(tree);
    set_count(tree, "one/memory.events", 1);
    struct prof_oom late = begin(tree);
    assert_true(prof_oom_has_killed(&tree->ledger, &first));
    assert_false(prof_oom_has_killed(&tree->ledger, &second));
    assert_false(prof_oom_has_killed(&tree->ledger, &late));
    set_count(tree, "one/memory.events", 3);
    assert_true(prof_oom_has_killed(&tree->ledger, &late));
    assert_true(prof_oom_has_killed(&tree->ledger, &second));
    assert_false(prof_oom_has_killed(&tree->ledger, &first));
    drop_tree(tree);
}
