/* A cache of a test's own. */
#include "tests/symbolizer/cache_folder.h"

#include "tests/harness.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char *cache_folder_make(void)
{
    char *folder = strdup("/tmp/watchfire-cache-XXXXXX");
    assert_non_null(folder);
    assert_non_null(mkdtemp(folder));
    return folder;
}

static bool ends_with(const char *text, const char *suffix)
{
    size_t length = strlen(text), tail = strlen(suffix);
    return length >= tail && strcmp(text + length - tail, suffix) == 0;
}

static bool is_wanted(const char *name, const char *suffix)
{
    return strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
           ends_with(name, suffix);
}

/* Visit the files; the number of those that match, the last one's path. */
static size_t visit(
    const char *folder, const char *suffix, char **path, bool is_removal)
{
    DIR *files = opendir(folder);
    size_t count = 0;
    assert_non_null(files);
    for (struct dirent *row; (row = readdir(files)) != NULL;) {
        if (!is_wanted(row->d_name, suffix))
            continue;
        count++;
        if (is_removal)
            (void)unlinkat(dirfd(files), row->d_name, 0);
        if (path != NULL) {
            free(*path);
            CHECK(asprintf(path, "%s/%s", folder, row->d_name) > 0);
        }
    }
    (void)closedir(files);
    return count;
}

/* Like idle_threads_hurry(), it allocates nothing. */
size_t cache_folder_count(const char *folder, const char *suffix)
{
    char rows[4096] __attribute__((aligned(8)));
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    size_t count = 0;
    ssize_t bytes;
    CHECK(fd >= 0);
    while ((bytes = getdents64(fd, rows, sizeof rows)) > 0) {
        for (ssize_t at = 0; at < bytes;) {
            const struct dirent64 *row = (const void *)(rows + at);
            count += is_wanted(row->d_name, suffix);
            at += row->d_reclen;
        }
    }
    (void)close(fd);
    return count;
}

char *cache_folder_file(const char *folder, const char *suffix)
{
    char *path = NULL;
    CHECK_EQ(visit(folder, suffix, &path, false), 1);
    return path;
}

void cache_folder_remove(char *folder)
{
    (void)visit(folder, "", NULL, true);
    CHECK_OK(rmdir(folder));
    free(folder);
}
