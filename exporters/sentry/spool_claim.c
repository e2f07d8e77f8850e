/* An envelope of a spool, taken by one process. */
#include "exporters/sentry/spool_model.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "exporters/sentry/envelope_reader.h"

/* Whether this name is still that file's: it may have been sent meanwhile. */
static bool has_name(
    const struct exp_spool *spool, const char *name, const struct stat *info)
{
    struct stat named;
    return fstatat(spool->folder, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           named.st_ino == info->st_ino && named.st_dev == info->st_dev;
}

/* Read and unpack; MALFORMED when it is damaged. */
static enum status read_content(
    int file, const struct stat *info, struct exp_block *content)
{
    struct exp_block made = {0};
    enum exp_rank rank;
    size_t size = (size_t)info->st_size, used = 0;
    if (info->st_size <= 0 || size > EXP_ENVELOPE_BYTES_MAX)
        return STATUS_MALFORMED;
    char *packed = malloc(size);
    if (packed == NULL)
        return STATUS_NO_MEMORY;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && used < size) {
        ssize_t got = pread(file, packed + used, size - used, (off_t)used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            status = got < 0 ? STATUS_SYSTEM : STATUS_MALFORMED;
        else
            used += (size_t)got;
    }
    if (status == STATUS_OK)
        status = exp_gzip_unpack(packed, size, EXP_ENVELOPE_BYTES_MAX, &made);
    free(packed);
    if (status == STATUS_LIMIT)
        status = STATUS_MALFORMED;
    if (status == STATUS_OK)
        status = exp_envelope_check(made.bytes, made.count, &rank, NULL);
    if (status == STATUS_OK)
        *content = made;
    else
        free(made.bytes);
    return status;
}

/* Carry out what somebody wrote down and did not live to do. */
static bool is_gone(struct exp_spool *spool, const char *name)
{
    struct spool_ledger ledger;
    spool_read_ledger(spool, &ledger);
    if (strcmp(ledger.gone, name) != 0)
        return false;
    (void)unlinkat(spool->folder, name, 0);
    return true;
}

bool spool_claim(
    struct exp_spool *spool, const char *name, int *file,
    struct exp_block *content)
{
    struct stat info;
    int fd = openat(
        spool->folder, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    if (fstat(fd, &info) != 0 || !spool_file_is_ours(&info) ||
        flock(fd, LOCK_EX | LOCK_NB) != 0 || !has_name(spool, name, &info) ||
        is_gone(spool, name))
        goto refused;
    switch (read_content(fd, &info, content)) {
    case STATUS_OK:
        *file = fd;
        return true;
    case STATUS_MALFORMED:
        spool_set_aside(spool, name);
        break;
    default:
        break; /* memory or the disk; another time */
    }
refused:
    spool_release(fd);
    return false;
}
