/*
 * Where a DSN's spool is: in its place, or where it has none, as for a user
 * without a home, in a folder below $TMPDIR, for one process alone,
 *
 *     watchfire-spool-DSN-RANDOM    DSN: a hash of it, of 16 digits
 *
 * which ends with the process, unless envelopes are left in it. The next one
 * finds them: by the name, and believes it when the folder is a folder, is
 * ours, and lets nobody else in. Nobody but us can make that, so that a name
 * which others can foresee is no way in. Who uses a folder has locked it; when
 * the lock is free, its owner is dead, and the folder is taken over. Of several
 * the first is taken, and what the others hold is moved to it.
 */
#include "exporters/sentry/spool_model.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "exporters/sentry/dsn.h"

enum { HASH_DIGITS = 16, ATTEMPTS = 8 };

static const char *below(void)
{
    const char *named = getenv("TMPDIR");
    return named != NULL && named[0] == '/' ? named : "/tmp";
}

/* "watchfire-spool-DSN-". */
static size_t make_prefix(const struct exp_dsn *dsn, char *prefix, size_t bytes)
{
    char name[EXP_DSN_PART_BYTES];
    (void)exp_dsn_file_name(dsn, name);
    return (size_t)snprintf(
        prefix, bytes, "watchfire-spool-%s-",
        name + strlen(name) - HASH_DIGITS);
}

/* Open and lock a folder of ours that nobody uses; -1: it is not one. */
static int take(const char *path)
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -1;
    /* Without a link it was removed by whoever had it until now. */
    if (fstat(fd, &info) == 0 && spool_folder_is_private(&info) &&
        flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &info) == 0 &&
        info.st_nlink > 0)
        return fd;
    (void)close(fd);
    return -1;
}

/* The next one that was left, its path, and its lock; -1 when there is none. */
static int find_left(DIR *stream, const char *prefix, char *path, size_t bytes)
{
    const struct dirent *entry;
    while (stream != NULL && (entry = readdir(stream)) != NULL) {
        if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
            continue;
        int used = snprintf(path, bytes, "%s/%s", below(), entry->d_name);
        int lock = used > 0 && (size_t)used < bytes ? take(path) : -1;
        if (lock >= 0)
            return lock;
    }
    return -1;
}

static int make_new(const char *prefix, char *path, size_t bytes)
{
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        int used = snprintf(path, bytes, "%s/%sXXXXXX", below(), prefix);
        if (used < 0 || (size_t)used >= bytes || mkdtemp(path) == NULL)
            return -1;
        int lock = take(path);
        if (lock >= 0)
            return lock; /* else one who looks for folders was faster */
    }
    return -1;
}

/* What is kept beside envelopes goes, and the folder, if that was all. */
static void remove_folder(int folder, const char *path)
{
    static const char *const names[] = {"lock", "discards", "limits", "report"};
    struct exp_spool left = {.folder = folder};
    struct spool_list list;
    if (spool_list_read(&left, &list) != STATUS_OK)
        return;
    bool is_empty = list.count == 0;
    spool_list_fini(&list);
    for (size_t i = 0; i < sizeof names / sizeof names[0] && is_empty; i++)
        (void)unlinkat(folder, names[i], 0);
    if (is_empty)
        (void)rmdir(path);
}

/* A name is the same in both: it has the time, and a chance in it. */
static void move(struct exp_spool *spool, int folder, const char *path)
{
    struct exp_spool left = {.folder = folder};
    struct spool_ledger ledger;
    struct spool_list list;
    if (spool_list_read(&left, &list) != STATUS_OK)
        return;
    for (uint32_t i = 0; i < list.count; i++)
        (void)renameat(
            folder, list.entries[i].name, spool->folder, list.entries[i].name);
    spool_list_fini(&list);
    spool_read_ledger(&left, &ledger);
    if (!exp_discards_is_empty(&ledger.discards) &&
        unlinkat(folder, "discards", 0) == 0)
        exp_spool_count_discards(spool, &ledger.discards);
    remove_folder(folder, path);
}

static void leave(struct exp_spool *spool)
{
    remove_folder(spool->folder, spool->path);
    spool_release(spool->passing_lock);
}

static enum status open_passing(
    struct exp_spool **spool, const struct exp_dsn *dsn, struct diag *diag)
{
    char path[PATH_MAX], other[PATH_MAX], prefix[64];
    (void)make_prefix(dsn, prefix, sizeof prefix);
    DIR *stream = opendir(below());
    int lock = find_left(stream, prefix, path, sizeof path);
    if (lock < 0)
        lock = make_new(prefix, path, sizeof path);
    enum status status =
        lock >= 0
            ? exp_spool_open(spool, path, NULL, diag)
            : fail(
                  diag, STATUS_SYSTEM,
                  "no folder to keep what is to be sent, not even in '%s'; set "
                  "WATCHFIRE_SPOOL=FOLDER",
                  below());
    if (status == STATUS_OK) {
        (*spool)->passing_lock = lock;
        (*spool)->leave = leave;
        int left;
        while ((left = find_left(stream, prefix, other, sizeof other)) >= 0) {
            move(*spool, left, other);
            spool_release(left);
        }
    } else {
        spool_release(lock);
    }
    if (stream != NULL)
        (void)closedir(stream);
    return status;
}

enum status exp_spool_open_for(
    struct exp_spool **spool, const struct exp_dsn *dsn, struct diag *diag)
{
    char path[PATH_MAX];
    struct diag why = {.status = STATUS_OK};
    enum status status = exp_spool_place(dsn, path, sizeof path, &why);
    if (status == STATUS_OK)
        status = exp_spool_open(spool, path, NULL, &why);
    if (status == STATUS_OK || status == STATUS_NO_MEMORY)
        return status == STATUS_OK ? status
                                   : fail(diag, status, "%s", why.text);
    status = open_passing(spool, dsn, diag);
    if (status == STATUS_OK)
        (void)fail(
            diag, STATUS_OK,
            "%.300s; what cannot be sent before the end stays in '%.100s', "
            "where the next run looks for it",
            why.text, (*spool)->path);
    return status;
}
