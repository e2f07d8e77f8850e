/* The folder of a spool: where it is, and whose. */
#include "exporters/sentry/spool_model.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exporters/sentry/dsn.h"

enum { ASIDE_MAX = 32, PASSWORD_BYTES = 4096 };

static enum status no_place(struct diag *diag)
{
    return fail(
        diag, STATUS_NOT_PERMITTED,
        "no folder to keep what is to be sent: there is no home; set "
        "WATCHFIRE_SPOOL=FOLDER");
}

/* Of the environment, or of the user's entry. */
static bool find_home(char *home, size_t bytes)
{
    const char *named = getenv("HOME");
    char text[PASSWORD_BYTES];
    struct passwd entry, *found = NULL;
    if (named == NULL || named[0] != '/') {
        if (getpwuid_r(geteuid(), &entry, text, sizeof text, &found) != 0 ||
            found == NULL)
            return false;
        named = found->pw_dir;
    }
    int used = snprintf(home, bytes, "%s", named);
    return named[0] == '/' && used > 0 && (size_t)used < bytes;
}

enum status exp_spool_place(
    const struct exp_dsn *dsn, char *path, size_t bytes, struct diag *diag)
{
    char name[EXP_DSN_PART_BYTES], home[PATH_MAX];
    const char *own = getenv("WATCHFIRE_SPOOL");
    const char *state = getenv("XDG_STATE_HOME");
    int used;
    (void)exp_dsn_file_name(dsn, name);
    if (own != NULL && own[0] != '\0') {
        used = snprintf(path, bytes, "%s/%s", own, name);
    } else if (state != NULL && state[0] == '/') {
        used = snprintf(path, bytes, "%s/watchfire/spool/%s", state, name);
    } else {
        if (!find_home(home, sizeof home))
            return no_place(diag);
        used = snprintf(
            path, bytes, "%s/.local/state/watchfire/spool/%s", home, name);
    }
    if (used < 0 || (size_t)used >= bytes)
        return fail(diag, STATUS_LIMIT, "the path of the spool is too long");
    return STATUS_OK;
}

/* Make the folders on the way; those that are there stay what they are. */
static bool make_folders(const char *path)
{
    char part[PATH_MAX];
    size_t length = strlen(path);
    if (length >= sizeof part)
        return false;
    for (size_t at = 1; at <= length; at++) {
        if (path[at] != '/' && path[at] != '\0')
            continue;
        memcpy(part, path, at);
        part[at] = '\0';
        if (mkdir(part, 0700) != 0 && errno != EEXIST)
            return false;
    }
    return true;
}

int spool_folder_open(const char *path, struct diag *diag)
{
    struct stat info;
    if (!make_folders(path)) {
        (void)fail(
            diag, STATUS_SYSTEM,
            "cannot make the spool '%s' (WATCHFIRE_SPOOL=FOLDER is another "
            "place)",
            path);
        return -1;
    }
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &info) != 0) {
        (void)fail(diag, STATUS_SYSTEM, "cannot open the spool '%s'", path);
        if (fd >= 0)
            (void)close(fd);
        return -1;
    }
    if (info.st_uid != geteuid() || (info.st_mode & 077) != 0) {
        (void)fail(
            diag, STATUS_NOT_PERMITTED,
            "the spool '%s' is not private: it is of user %u with mode %03o; "
            "set WATCHFIRE_SPOOL to another folder, or chmod 700 this one",
            path, (unsigned)info.st_uid, info.st_mode & 0777u);
        (void)close(fd);
        return -1;
    }
    return fd;
}

bool spool_folder_make_passing(char *path, size_t bytes, struct diag *diag)
{
    const char *below = getenv("TMPDIR");
    if (below == NULL || below[0] != '/')
        below = "/tmp";
    int used = snprintf(path, bytes, "%s/watchfire-spool-XXXXXX", below);
    if (used > 0 && (size_t)used < bytes && mkdtemp(path) != NULL)
        return true;
    (void)fail(
        diag, STATUS_SYSTEM,
        "no folder to keep what is to be sent, not even in '%s'; set "
        "WATCHFIRE_SPOOL=FOLDER",
        below);
    return false;
}

void spool_folder_remove(const struct exp_spool *spool)
{
    static const char *const names[] = {"lock", "discards", "limits", "report"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        (void)unlinkat(spool->folder, names[i], 0);
    (void)rmdir(spool->path);
}

bool spool_file_is_ours(const struct stat *info)
{
    return S_ISREG(info->st_mode) && info->st_uid == geteuid() &&
           info->st_nlink == 1 && (info->st_mode & 022) == 0;
}

static unsigned count_entries(int folder)
{
    unsigned count = 0;
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
    if (stream == NULL) {
        if (fd >= 0)
            (void)close(fd);
        return ASIDE_MAX;
    }
    while (readdir(stream) != NULL)
        count++;
    (void)closedir(stream);
    return count;
}

/* A few are kept, to be looked at by a person; more would fill the disk. */
static bool move_aside(struct exp_spool *spool, const char *name)
{
    if (mkdirat(spool->folder, "aside", 0700) != 0 && errno != EEXIST)
        return false;
    int aside = openat(
        spool->folder, "aside",
        O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (aside < 0)
        return false;
    bool is_gone = count_entries(aside) < ASIDE_MAX
                       ? renameat(spool->folder, name, aside, name) == 0
                       : unlinkat(spool->folder, name, 0) == 0;
    (void)close(aside);
    return is_gone;
}

/* What a damaged envelope held is told by the first letter of its name. */
static void count_damaged(struct exp_discards *discards, const char *name)
{
    static const struct {
        char letter;
        enum exp_category category;
    } kinds[] = {
        {'e', EXP_CATEGORY_ERROR},
        {'s', EXP_CATEGORY_SESSION},
        {'t', EXP_CATEGORY_TRANSACTION},
        {'p', EXP_CATEGORY_PROFILE_CHUNK}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (name[0] == kinds[i].letter && name[1] == '-')
            discards
                ->counts[EXP_DISCARD_INTERNAL_SDK_ERROR][kinds[i].category]++;
    }
}

void spool_set_aside(struct exp_spool *spool, const char *name)
{
    struct spool_ledger ledger;
    int lock = spool_lock(spool);
    if (lock < 0)
        return; /* the next one who reads the folder finds it again */
    if (move_aside(spool, name)) {
        spool_read_ledger(spool, &ledger);
        ledger.foreign_count++;
        count_damaged(&ledger.discards, name);
        (void)spool_write_ledger(spool, &ledger);
    }
    spool_release(lock);
}
