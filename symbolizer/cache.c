/* Files in the cache's folder, and which of them have to go. */
#include "symbolizer/cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "profiler/base/table.h"

static const char index_suffix[] = ".index";
static const char partial_suffix[] = ".partial";

/* A writer needs seconds; whatever is older was left behind. */
enum { ABANDONED_S = 3600 };

/* ---- the folder ---- */

static bool is_ours_alone(const struct stat *identity)
{
    return identity->st_uid == geteuid() &&
           (identity->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

enum status sym_cache_open(
    struct sym_cache *cache, const char *folder, uint64_t limit_bytes,
    struct diag *diag)
{
    *cache = (struct sym_cache){.folder = -1, .limit_bytes = limit_bytes};
    if (mkdir(folder, 0700) != 0 && errno != EEXIST)
        return fail(diag, STATUS_SYSTEM, "mkdir '%s'", folder);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return fail(diag, STATUS_SYSTEM, "open '%s'", folder);
    struct stat identity;
    if (fstat(fd, &identity) != 0 || !is_ours_alone(&identity)) {
        (void)close(fd);
        return fail(
            diag, STATUS_NOT_PERMITTED,
            "'%s' is not this user's alone: chmod go-w", folder);
    }
    cache->folder = fd;
    return STATUS_OK;
}

void sym_cache_close(struct sym_cache *cache)
{
    if (cache->folder >= 0)
        (void)close(cache->folder);
    cache->folder = -1;
}

/* ---- reading ---- */

static bool final_name(char *text, size_t bytes, const char *name)
{
    int length = snprintf(text, bytes, "%s%s", name, index_suffix);
    return length > 0 && (size_t)length < bytes && strchr(name, '/') == NULL;
}

int sym_cache_find(const struct sym_cache *cache, const char *name)
{
    char path[SYM_CACHE_NAME_BYTES];
    if (cache->folder < 0 || !final_name(path, sizeof path, name))
        return -1;
    int fd = openat(
        cache->folder, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return -1;
    struct stat identity;
    if (fstat(fd, &identity) != 0 || !S_ISREG(identity.st_mode) ||
        !is_ours_alone(&identity)) {
        (void)close(fd);
        return -1;
    }
    static const struct timespec used_now[] = {
        {.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_OMIT}};
    (void)futimens(fd, used_now);
    return fd;
}

void sym_cache_remove(const struct sym_cache *cache, const char *name)
{
    char path[SYM_CACHE_NAME_BYTES];
    if (cache->folder >= 0 && final_name(path, sizeof path, name))
        (void)unlinkat(cache->folder, path, 0);
}

/* ---- writing ---- */

enum status sym_cache_begin(
    const struct sym_cache *cache, const char *name,
    struct sym_cache_entry *entry, struct diag *diag)
{
    static atomic_uint count;
    if (cache->folder < 0 || !final_name(entry->name, sizeof entry->name, name))
        return fail(diag, STATUS_UNSUPPORTED, "no cache for '%s'", name);
    (void)snprintf(
        entry->partial, sizeof entry->partial, ".%s.%d.%u%s", name,
        (int)getpid(), atomic_fetch_add(&count, 1), partial_suffix);
    entry->fd = openat(
        cache->folder, entry->partial,
        O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (entry->fd < 0)
        return fail(diag, STATUS_SYSTEM, "create '%s'", entry->partial);
    return STATUS_OK;
}

void sym_cache_withdraw(
    const struct sym_cache *cache, const struct sym_cache_entry *entry)
{
    (void)unlinkat(cache->folder, entry->partial, 0);
}

void sym_cache_abandon(
    const struct sym_cache *cache, struct sym_cache_entry *entry)
{
    sym_cache_withdraw(cache, entry);
    (void)close(entry->fd);
    entry->fd = -1;
}

/* ---- eviction ---- */

struct resident {
    char name[SYM_CACHE_NAME_BYTES];
    uint64_t bytes;
    struct timespec used;
};

static bool ends_with(const char *text, const char *suffix)
{
    size_t length = strlen(text), tail = strlen(suffix);
    return length > tail && strcmp(text + length - tail, suffix) == 0;
}

static int by_use(const void *left, const void *right)
{
    const struct timespec *a = &((const struct resident *)left)->used;
    const struct timespec *b = &((const struct resident *)right)->used;
    if (a->tv_sec != b->tv_sec)
        return a->tv_sec < b->tv_sec ? -1 : 1;
    return (a->tv_nsec > b->tv_nsec) - (a->tv_nsec < b->tv_nsec);
}

/* List the files that count; what was left half written goes at once. */
static void visit(
    const struct sym_cache *cache, const char *name, struct table *residents)
{
    struct stat identity;
    bool is_index = ends_with(name, index_suffix);
    if ((!is_index && !ends_with(name, partial_suffix)) ||
        fstatat(cache->folder, name, &identity, AT_SYMLINK_NOFOLLOW) != 0)
        return;
    if (!is_index) {
        if (identity.st_mtim.tv_sec + ABANDONED_S < time(NULL))
            (void)unlinkat(cache->folder, name, 0);
        return;
    }
    struct resident resident = {
        .bytes = (uint64_t)identity.st_size, .used = identity.st_atim};
    int length = snprintf(resident.name, sizeof resident.name, "%s", name);
    if (length > 0 && (size_t)length < sizeof resident.name)
        (void)table_add(residents, &resident);
}

/* Out of memory evicts less, until the next time. */
static void evict(const struct sym_cache *cache)
{
    int fd = openat(cache->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    if (folder == NULL) {
        if (fd >= 0)
            (void)close(fd);
        return;
    }
    struct table residents = {.row_bytes = sizeof(struct resident)};
    for (struct dirent *row; (row = readdir(folder)) != NULL;)
        visit(cache, row->d_name, &residents);
    (void)closedir(folder);

    struct resident *rows = residents.rows;
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < residents.count; i++)
        bytes += rows[i].bytes;
    if (residents.count > 1)
        qsort(rows, residents.count, sizeof *rows, by_use);
    for (uint32_t i = 0; i < residents.count && bytes > cache->limit_bytes;
         i++) {
        if (unlinkat(cache->folder, rows[i].name, 0) == 0)
            bytes -= rows[i].bytes;
    }
    table_fini(&residents);
}

enum status sym_cache_commit(
    const struct sym_cache *cache, struct sym_cache_entry *entry,
    struct diag *diag)
{
    /* Not synced: a file that a power cut damages fails its checksums. */
    if (renameat(cache->folder, entry->partial, cache->folder, entry->name) !=
        0) {
        enum status status =
            fail(diag, STATUS_SYSTEM, "rename '%s'", entry->partial);
        sym_cache_abandon(cache, entry);
        return status;
    }
    (void)close(entry->fd);
    entry->fd = -1;
    evict(cache);
    return STATUS_OK;
}
