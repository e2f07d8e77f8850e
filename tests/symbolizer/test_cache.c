/* Files in the cache's folder: when they appear, whom they belong to, when
   they go. */
#include "tests/harness.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "symbolizer/cache.h"
#include "tests/symbolizer/cache_folder.h"

enum { FILE_BYTES = 1000 };

static struct sym_cache open_cache(const char *folder, uint64_t limit)
{
    struct sym_cache cache;
    CHECK_OK(sym_cache_open(&cache, folder, limit, NULL));
    return cache;
}

static void add_file(const struct sym_cache *cache, const char *name)
{
    char bytes[FILE_BYTES] = "content";
    struct sym_cache_entry entry;
    CHECK_OK(sym_cache_begin(cache, name, &entry, NULL));
    CHECK_EQ(write(entry.fd, bytes, sizeof bytes), sizeof bytes);
    CHECK_OK(sym_cache_commit(cache, &entry, NULL));
}

static bool has_file(const struct sym_cache *cache, const char *name)
{
    int fd = sym_cache_find(cache, name);
    if (fd >= 0)
        (void)close(fd);
    return fd >= 0;
}

/* As if the file had last been used or written so many seconds ago. */
static void make_older(const char *path, long seconds)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    now.tv_sec -= seconds;
    const struct timespec times[] = {now, now};
    CHECK_OK(utimensat(AT_FDCWD, path, times, 0));
}

static const char *path_in(const char *folder, const char *name)
{
    static char path[512];
    (void)snprintf(path, sizeof path, "%s/%s.index", folder, name);
    return path;
}

TEST(a_file_is_not_there_before_it_is_whole)
{
    char *folder = cache_folder_make();
    struct sym_cache cache = open_cache(folder, 1 << 20);
    struct sym_cache_entry entry;
    CHECK_OK(sym_cache_begin(&cache, "a", &entry, NULL));
    CHECK_EQ(write(entry.fd, "x", 1), 1);
    CHECK(!has_file(&cache, "a"));
    CHECK_OK(sym_cache_commit(&cache, &entry, NULL));
    CHECK(has_file(&cache, "a"));
    CHECK_OK(sym_cache_begin(&cache, "b", &entry, NULL));
    sym_cache_abandon(&cache, &entry);
    CHECK(!has_file(&cache, "b"));
    CHECK_EQ(cache_folder_count(folder, ""), 1);
    sym_cache_remove(&cache, "a");
    CHECK_EQ(cache_folder_count(folder, ""), 0);
    sym_cache_close(&cache);
    cache_folder_remove(folder);
}

TEST(the_later_of_two_writers_wins_and_readers_keep_what_they_opened)
{
    char *folder = cache_folder_make(), byte = 0;
    struct sym_cache cache = open_cache(folder, 1 << 20);
    struct sym_cache_entry first, second;
    CHECK_OK(sym_cache_begin(&cache, "a", &first, NULL));
    CHECK_OK(sym_cache_begin(&cache, "a", &second, NULL));
    CHECK_EQ(write(first.fd, "1", 1), 1);
    CHECK_EQ(write(second.fd, "2", 1), 1);
    CHECK_OK(sym_cache_commit(&cache, &first, NULL));
    int reader = sym_cache_find(&cache, "a");
    CHECK_OK(sym_cache_commit(&cache, &second, NULL));
    CHECK_EQ(pread(reader, &byte, 1, 0), 1);
    CHECK_EQ(byte, '1');
    (void)close(reader);
    reader = sym_cache_find(&cache, "a");
    CHECK_EQ(pread(reader, &byte, 1, 0), 1);
    CHECK_EQ(byte, '2');
    (void)close(reader);
    CHECK_EQ(cache_folder_count(folder, ""), 1);
    sym_cache_close(&cache);
    cache_folder_remove(folder);
}

/* ---- whom it belongs to ---- */

TEST(a_folder_that_others_may_write_is_refused)
{
    char *folder = cache_folder_make();
    struct sym_cache cache;
    struct diag diag = {0};
    CHECK_OK(chmod(folder, 0770));
    CHECK_EQ(
        sym_cache_open(&cache, folder, 1 << 20, &diag), STATUS_NOT_PERMITTED);
    CHECK(strstr(diag.text, "chmod go-w") != NULL);
    CHECK_EQ(sym_cache_find(&cache, "a"), -1);
    cache_folder_remove(folder);
}

TEST(a_folder_is_made_but_not_those_above_it)
{
    char *folder = cache_folder_make(), path[512];
    struct sym_cache cache;
    (void)snprintf(path, sizeof path, "%s/a/b", folder);
    CHECK_EQ(sym_cache_open(&cache, path, 1, NULL), STATUS_SYSTEM);
    (void)snprintf(path, sizeof path, "%s/a", folder);
    CHECK_OK(sym_cache_open(&cache, path, 1, NULL));
    sym_cache_close(&cache);
    struct stat identity;
    CHECK_OK(stat(path, &identity));
    CHECK_EQ(identity.st_mode & 0777, 0700);
    CHECK_OK(rmdir(path));
    cache_folder_remove(folder);
}

TEST(files_that_others_could_have_written_are_not_used)
{
    char *folder = cache_folder_make();
    struct sym_cache cache = open_cache(folder, 1 << 20);
    add_file(&cache, "a");
    CHECK_OK(chmod(path_in(folder, "a"), 0660));
    CHECK(!has_file(&cache, "a"));
    CHECK_OK(chmod(path_in(folder, "a"), 0600));
    CHECK(has_file(&cache, "a"));
    if (geteuid() == 0) {
        CHECK_OK(chown(path_in(folder, "a"), 65534, 65534));
        CHECK(!has_file(&cache, "a"));
    }
    CHECK_OK(symlink("a.index", path_in(folder, "link")));
    CHECK(!has_file(&cache, "link"));
    CHECK_OK(mkfifo(path_in(folder, "fifo"), 0600));
    CHECK(!has_file(&cache, "fifo"));
    sym_cache_close(&cache);
    cache_folder_remove(folder);
}

TEST(names_do_not_lead_out_of_the_folder)
{
    char *folder = cache_folder_make(), name[SYM_CACHE_NAME_BYTES + 8];
    struct sym_cache cache = open_cache(folder, 1 << 20);
    struct sym_cache_entry entry;
    CHECK_EQ(sym_cache_begin(&cache, "../a", &entry, NULL), STATUS_UNSUPPORTED);
    memset(name, 'a', sizeof name);
    name[sizeof name - 1] = '\0';
    CHECK_EQ(sym_cache_begin(&cache, name, &entry, NULL), STATUS_UNSUPPORTED);
    sym_cache_close(&cache);
    cache_folder_remove(folder);
}

/* ---- eviction ---- */

TEST(the_file_not_used_for_the_longest_time_goes_first)
{
    /* Seconds since the last use. */
    static const struct {
        const char *name;
        long age;
        bool stays;
    } files[] = {{"a", 300, true},  {"b", 800, false}, {"c", 100, true},
                 {"d", 900, false}, {"e", 200, true},  {"f", 700, false},
                 {"g", 950, true},  {"h", 400, true}};
    enum { FILES = sizeof files / sizeof files[0], MORE = 3 };
    char *folder = cache_folder_make();
    struct sym_cache cache = open_cache(folder, FILES * FILE_BYTES);
    for (size_t i = 0; i < FILES; i++) {
        add_file(&cache, files[i].name);
        make_older(path_in(folder, files[i].name), files[i].age);
    }
    CHECK(has_file(&cache, "g")); /* and counts as used now */
    static const char *const more[MORE] = {"x", "y", "z"};
    for (size_t i = 0; i < MORE; i++)
        add_file(&cache, more[i]);
    CHECK_EQ(cache_folder_count(folder, ""), FILES);
    for (size_t i = 0; i < FILES; i++)
        CHECK_EQ(has_file(&cache, files[i].name), files[i].stays);
    sym_cache_close(&cache);
    cache_folder_remove(folder);
}

TEST(what_a_killed_writer_left_goes_after_an_hour)
{
    char *folder = cache_folder_make();
    struct sym_cache cache = open_cache(folder, 1 << 20);
    struct sym_cache_entry old, new;
    CHECK_OK(sym_cache_begin(&cache, "a", &old, NULL));
    char *path = cache_folder_file(folder, ".partial");
    make_older(path, 4000);
    free(path);
    CHECK_OK(sym_cache_begin(&cache, "a", &new, NULL));
    add_file(&cache, "b");
    CHECK_EQ(cache_folder_count(folder, ".partial"), 1);
    sym_cache_abandon(&cache, &new);
    CHECK_EQ(cache_folder_count(folder, ".partial"), 0);
    (void)close(old.fd);
    sym_cache_close(&cache);
    cache_folder_remove(folder);
}

TEST(nothing_of_other_programs_in_the_folder_is_touched)
{
    char *folder = cache_folder_make(), path[512];
    struct sym_cache cache = open_cache(folder, 1);
    (void)snprintf(path, sizeof path, "%s/notes.txt", folder);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    CHECK_EQ(write(fd, path, sizeof path), sizeof path);
    (void)close(fd);
    make_older(path, 1000000);
    add_file(&cache, "a"); /* alone more than the limit */
    CHECK_EQ(cache_folder_count(folder, ".txt"), 1);
    CHECK_EQ(cache_folder_count(folder, ".index"), 0);
    sym_cache_close(&cache);
    cache_folder_remove(folder);
}
