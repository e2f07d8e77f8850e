/* The folder of a spool: where it is, and whose. */
#include "exporters/sentry/spool_model.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exporters/sentry/dsn.h"

enum { PASSWORD_BYTES = 4096 };

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

bool spool_folder_is_private(const struct stat *info)
{
    return info->st_uid == geteuid() && (info->st_mode & 077) == 0;
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
    if (!spool_folder_is_private(&info)) {
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

bool spool_file_is_ours(const struct stat *info)
{
    return S_ISREG(info->st_mode) && info->st_uid == geteuid() &&
           info->st_nlink == 1 && (info->st_mode & 022) == 0;
}
