/* Output files, formats by name, and a writer whose failure sticks. */
#include "tests/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exporters/formats.h"
#include "exporters/output.h"
#include "exporters/writer.h"
#include "tests/exporters/profiles.h"

/* ---- a folder of our own ---- */

static char folder[64];

static const char *in_folder(const char *name)
{
    static char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void make_folder(void)
{
    (void)strcpy(folder, "/tmp/watchfire-output-XXXXXX");
    assert_non_null(mkdtemp(folder));
}

static int entries;

static int count_entry(
    const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)path, (void)info, (void)kind;
    entries += place->level > 0;
    return 0;
}

static int entry_count(void)
{
    entries = 0;
    CHECK_EQ(nftw(folder, count_entry, 8, FTW_PHYS), 0);
    return entries;
}

static int remove_entry(
    const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)info, (void)kind, (void)place;
    return remove(path);
}

static void remove_folder(void)
{
    CHECK_EQ(nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static void put_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    CHECK(fputs(text, file) >= 0);
    CHECK_EQ(fclose(file), 0);
}

static void check_file(const char *path, const char *wanted)
{
    char text[256] = "";
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    (void)fread(text, 1, sizeof text - 1, file);
    (void)fclose(file);
    CHECK_STR(text, wanted);
}

static enum status write_file(const char *path, const char *text)
{
    struct exp_output *output;
    enum status status = exp_output_open(&output, path, NULL);
    if (status != STATUS_OK)
        return status;
    exp_write_text(exp_output_writer(output), text);
    return exp_output_commit(output, NULL);
}

/* ---- files that appear whole ---- */

TEST(output_appears_at_commit_and_replaces_the_old_file)
{
    make_folder();
    put_file(in_folder("x.svg"), "old");
    struct exp_output *output;
    CHECK_OK(exp_output_open(&output, in_folder("x.svg"), NULL));
    exp_write_text(exp_output_writer(output), "new");
    check_file(in_folder("x.svg"), "old");
    CHECK_OK(exp_output_commit(output, NULL));
    check_file(in_folder("x.svg"), "new");
    CHECK_EQ(entry_count(), 1);
    remove_folder();
}

TEST(output_has_the_mode_that_the_umask_leaves)
{
    make_folder();
    mode_t mask = umask(027);
    CHECK_OK(write_file(in_folder("x"), "text"));
    (void)umask(mask);
    struct stat info;
    CHECK_EQ(stat(in_folder("x"), &info), 0);
    CHECK_EQ(info.st_mode & 0777, 0640);
    remove_folder();
}

TEST(output_that_is_abandoned_leaves_nothing)
{
    make_folder();
    struct exp_output *output;
    CHECK_OK(exp_output_open(&output, in_folder("x"), NULL));
    exp_write_text(exp_output_writer(output), "text");
    exp_output_abandon(output);
    CHECK_EQ(entry_count(), 0);
    exp_output_abandon(NULL);
    remove_folder();
}

TEST(output_replaces_the_file_that_a_link_names)
{
    make_folder();
    char target[256];
    (void)strcpy(target, in_folder("target"));
    put_file(target, "old");
    CHECK_EQ(symlink("target", in_folder("link")), 0);
    CHECK_OK(write_file(in_folder("link"), "new"));
    check_file(target, "new");
    struct stat info;
    CHECK_EQ(lstat(in_folder("link"), &info), 0);
    CHECK(S_ISLNK(info.st_mode));
    remove_folder();
}

TEST(output_works_beside_the_current_folder)
{
    make_folder();
    char *before = getcwd(NULL, 0);
    CHECK_EQ(chdir(folder), 0);
    CHECK_OK(write_file("plain", "text"));
    CHECK_EQ(chdir(before), 0);
    free(before);
    check_file(in_folder("plain"), "text");
    CHECK_EQ(entry_count(), 1);
    remove_folder();
}

TEST(output_to_a_fifo_goes_through_it)
{
    make_folder();
    CHECK_EQ(mkfifo(in_folder("fifo"), 0600), 0);
    int fd = open(in_folder("fifo"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    CHECK_OK(write_file(in_folder("fifo"), "text"));
    char text[8] = "";
    CHECK_EQ(read(fd, text, sizeof text - 1), 4);
    CHECK_STR(text, "text");
    (void)close(fd);
    struct stat info;
    CHECK_EQ(stat(in_folder("fifo"), &info), 0);
    CHECK(S_ISFIFO(info.st_mode));
    remove_folder();
}

TEST(output_dash_is_standard_output)
{
    make_folder();
    (void)fflush(stdout);
    int saved = dup(STDOUT_FILENO);
    int fd = open(in_folder("out"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    CHECK(dup2(fd, STDOUT_FILENO) == STDOUT_FILENO);
    enum status first = write_file("-", "one ");
    enum status second = write_file("/dev/stdout", "two");
    CHECK(dup2(saved, STDOUT_FILENO) == STDOUT_FILENO);
    (void)close(saved);
    (void)close(fd);
    CHECK_OK(first);
    CHECK_OK(second);
    check_file(in_folder("out"), "one two");
    remove_folder();
}

/* ---- failures ---- */

TEST(output_on_a_full_device_fails_with_one_sentence)
{
    struct diag diag;
    struct exp_output *output;
    CHECK_OK(exp_output_open(&output, "/dev/full", &diag));
    exp_write_text(exp_output_writer(output), "text");
    CHECK_EQ(exp_output_commit(output, &diag), STATUS_SYSTEM);
    CHECK_STR(diag.text, "cannot write '/dev/full': No space left on device");
    CHECK_EQ(diag.sys_errno, ENOSPC);
}

TEST(output_on_a_full_disk_leaves_the_old_file_and_nothing_else)
{
    make_folder();
    if (mount("none", folder, "tmpfs", 0, "size=64k") != 0) {
        remove_folder();
        skip(); /* only root may mount */
    }
    put_file(in_folder("x.svg"), "old");
    struct diag diag;
    struct exp_output *output;
    CHECK_OK(exp_output_open(&output, in_folder("x.svg"), &diag));
    exp_write_fill(exp_output_writer(output), 'x', 1 << 20);
    CHECK_EQ(exp_output_commit(output, &diag), STATUS_SYSTEM);
    CHECK(strstr(diag.text, "x.svg': No space left on device") != NULL);
    check_file(in_folder("x.svg"), "old");
    CHECK_EQ(entry_count(), 1);
    CHECK_EQ(umount(folder), 0);
    remove_folder();
}

TEST(output_into_a_missing_folder_or_onto_a_folder_is_refused)
{
    make_folder();
    struct diag diag;
    struct exp_output *output;
    CHECK_EQ(exp_output_open(&output, in_folder("no/x"), &diag), STATUS_SYSTEM);
    CHECK_EQ(diag.sys_errno, ENOENT);
    CHECK(strstr(diag.text, "cannot write '") == diag.text);
    CHECK_EQ(exp_output_open(&output, folder, &diag), STATUS_SYSTEM);
    CHECK_EQ(diag.sys_errno, EISDIR);
    remove_folder();
}

/* Root may write anywhere, so a child gives its rights up first. */
static int refusals_as_nobody(void)
{
    struct diag diag;
    struct exp_output *output;
    if (setgid(65534) != 0 || setuid(65534) != 0)
        return 1;
    if (exp_output_open(&output, in_folder("new"), &diag) != STATUS_SYSTEM ||
        diag.sys_errno != EACCES)
        return 2;
    if (exp_output_open(&output, in_folder("open/ours"), &diag) !=
            STATUS_SYSTEM ||
        diag.sys_errno != EACCES)
        return 3;
    return 0;
}

TEST(output_respects_the_modes_of_the_folder_and_of_the_file)
{
    if (geteuid() != 0)
        skip(); /* cannot become somebody else */
    make_folder();
    CHECK_EQ(chmod(folder, 0755), 0);
    CHECK_EQ(mkdir(in_folder("open"), 0777), 0);
    CHECK_EQ(chmod(in_folder("open"), 0777), 0);
    put_file(in_folder("open/ours"), "old");
    CHECK_EQ(chmod(in_folder("open/ours"), 0644), 0);
    pid_t child = fork();
    if (child == 0)
        _exit(refusals_as_nobody());
    int status = 0;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 0);
    check_file(in_folder("open/ours"), "old");
    CHECK_EQ(entry_count(), 2);
    remove_folder();
}

TEST(output_of_a_failed_exporter_is_not_committed)
{
    make_folder();
    struct diag diag;
    struct exp_output *output;
    CHECK_OK(exp_output_open(&output, in_folder("x"), &diag));
    exp_write_text(exp_output_writer(output), "half");
    exp_writer_fail(exp_output_writer(output), STATUS_NO_MEMORY);
    exp_write_text(exp_output_writer(output), "more");
    CHECK_EQ(exp_output_commit(output, &diag), STATUS_NO_MEMORY);
    CHECK(strstr(diag.text, "x': out of memory") != NULL);
    CHECK_EQ(entry_count(), 0);
    remove_folder();
}

/* ---- the writer ---- */

TEST(writer_keeps_the_order_of_small_and_large_writes)
{
    make_folder();
    struct exp_output *output;
    CHECK_OK(exp_output_open(&output, in_folder("x"), NULL));
    struct exp_writer *writer = exp_output_writer(output);
    static char large[200000];
    memset(large, 'L', sizeof large);
    exp_write_text(writer, "begin");
    exp_write(writer, large, sizeof large);
    exp_write_u64(writer, UINT64_MAX);
    exp_write_fill(writer, '.', 70000);
    CHECK_OK(exp_output_commit(output, NULL));

    FILE *file = fopen(in_folder("x"), "r");
    static char all[300000];
    size_t count = fread(all, 1, sizeof all, file);
    (void)fclose(file);
    CHECK_EQ(count, 5 + sizeof large + 20 + 70000);
    CHECK(memcmp(all, "beginL", 6) == 0);
    CHECK(memcmp(all + 5 + sizeof large - 1, "L184467440737", 13) == 0);
    CHECK_EQ(all[count - 1], '.');
    remove_folder();
}

TEST(writer_numbers_are_those_of_printf)
{
    static const double values[] = {0,    0.04, 0.06,   0.94,      0.96,
                                    1.26, 9.96, 1180.0, 12345678.9};
    make_folder();
    struct exp_output *output;
    CHECK_OK(exp_output_open(&output, in_folder("x"), NULL));
    struct exp_writer *writer = exp_output_writer(output);
    char wanted[400];
    size_t used = 0;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        uint64_t whole = UINT64_MAX >> 7 * i;
        exp_write_tenths(writer, values[i]);
        exp_write_u64(writer, whole);
        used += (size_t)snprintf(
            wanted + used, sizeof wanted - used, "%.1f%" PRIu64, values[i],
            whole);
    }
    exp_write_u64(writer, 0);
    CHECK_OK(exp_output_commit(output, NULL));

    FILE *file = fopen(in_folder("x"), "r");
    char all[400];
    size_t count = fread(all, 1, sizeof all, file);
    (void)fclose(file);
    CHECK_EQ(count, used + 1);
    CHECK(memcmp(all, wanted, used) == 0);
    CHECK_EQ(all[used], '0');
    remove_folder();
}

TEST(writer_waits_for_a_pipe_that_does_not_block)
{
    int ends[2];
    CHECK_EQ(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
    pid_t child = fork();
    if (child == 0) {
        struct exp_writer *writer = exp_writer_create(ends[1]);
        exp_write_fill(writer, 'x', 1 << 20); /* a pipe holds 64 KiB */
        _exit(exp_writer_finish(writer, "pipe", NULL) != STATUS_OK);
    }
    (void)close(ends[1]);
    (void)fcntl(ends[0], F_SETFL, 0);
    static char bytes[4096];
    size_t total = 0;
    for (ssize_t count; (count = read(ends[0], bytes, sizeof bytes)) > 0;)
        total += (size_t)count;
    (void)close(ends[0]);
    int status = 0;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    CHECK_EQ(total, 1 << 20);
}

TEST(writer_in_memory_grows_and_ends_in_a_nul)
{
    struct exp_writer *writer = exp_writer_create_memory();
    exp_write_fill(writer, 'x', 1000000);
    exp_write_format(writer, "%d", 42);
    size_t count;
    const char *bytes = exp_writer_bytes(writer, &count);
    CHECK_EQ(count, 1000002);
    CHECK_STR(bytes + 999999, "x42");
    char *text = exp_writer_take(writer);
    CHECK_EQ(strlen(text), 1000002);
    free(text);
    CHECK(exp_writer_take(NULL) == NULL);
}

TEST(writer_remembers_its_first_failure)
{
    struct exp_writer *writer = exp_writer_create_memory();
    exp_writer_fail(writer, STATUS_LIMIT);
    exp_writer_fail(writer, STATUS_NO_MEMORY);
    CHECK_EQ(exp_writer_status(writer), STATUS_LIMIT);
    size_t count;
    CHECK(exp_writer_bytes(writer, &count) == NULL);
    struct diag diag;
    CHECK_EQ(exp_writer_finish(writer, "x", &diag), STATUS_LIMIT);
    CHECK_STR(diag.text, "cannot write 'x': a configured limit was reached");
    exp_writer_destroy(writer);
}

TEST(writer_refuses_a_formatted_text_that_it_would_cut)
{
    struct exp_writer *writer = exp_writer_create_memory();
    exp_write_format(writer, "%600d", 1);
    CHECK_EQ(exp_writer_status(writer), STATUS_LIMIT);
    exp_writer_destroy(writer);
}

/* ---- formats ---- */

TEST(format_is_chosen_by_extension_or_by_name)
{
    const struct exp_format *format = NULL;
    CHECK_OK(exp_format_by_path(&format, "out/cpu.svg", NULL));
    CHECK_EQ(format->id, EXP_FORMAT_SVG);
    CHECK_OK(exp_format_by_path(&format, "a.svg.folded", NULL));
    CHECK_EQ(format->id, EXP_FORMAT_FOLDED);
    CHECK_OK(exp_format_by_path(&format, "watchfire.data", NULL));
    CHECK_EQ(format->id, EXP_FORMAT_DATA);
    CHECK(format->write == NULL);
    CHECK_OK(exp_format_by_name(&format, "folded", NULL));
    CHECK_EQ(format->id, EXP_FORMAT_FOLDED);
    CHECK_OK(exp_format_by_name(&format, ".svg", NULL));
    CHECK_EQ(format->id, EXP_FORMAT_SVG);
}

TEST(format_that_is_unknown_is_refused_with_those_that_are_known)
{
    const struct exp_format *format;
    struct diag diag;
    CHECK_EQ(exp_format_by_path(&format, "x.txt", &diag), STATUS_USAGE);
    CHECK_STR(
        diag.text, "no format is known by the name 'x.txt': end it in .data, "
                   ".folded, .svg or .envelope, or give one with -f");
    CHECK_EQ(exp_format_by_path(&format, "-", &diag), STATUS_USAGE);
    CHECK_EQ(exp_format_by_name(&format, "png", &diag), STATUS_USAGE);
    CHECK_STR(
        diag.text, "unknown format 'png': use data, folded, svg or envelope");
}

TEST(format_save_writes_a_whole_file)
{
    make_folder();
    struct prof_profile *profile = profile_huge_counts();
    const struct exp_format *format;
    struct exp_options options = {0};
    CHECK_OK(exp_format_by_name(&format, "folded", NULL));
    CHECK_OK(exp_format_save(
        format, profile, &options, in_folder("x.folded"), NULL));
    check_file(
        in_folder("x.folded"), "huge;main;a 9223372036854775807\n"
                               "huge;main;b 18446744073709551614\n");
    prof_profile_destroy(profile);
    remove_folder();
}
