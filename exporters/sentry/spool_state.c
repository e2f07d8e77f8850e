/*
 * What is kept beside the envelopes: the ledger of discards and, as the sender
 * sees fit, the backend's limits. Small files, replaced as a whole.
 *
 * The ledger's text:
 *
 *     watchfire discards 1
 *     foreign N
 *     gone NAME                        (not if there is none)
 *     lost REASON CATEGORY QUANTITY    (any number of times)
 *     end
 */
#include "exporters/sentry/spool_model.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "exporters/sentry/id.h"
#include "exporters/writer.h"

enum {
    LOCK_ATTEMPTS = 500, /* of 10 ms */
    WRITE_ATTEMPTS = 8,
};

static const char first_line[] = "watchfire discards 1";

int spool_lock(const struct exp_spool *spool)
{
    const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};
    int fd = openat(
        spool->folder, "lock",
        O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
    if (fd < 0)
        return -1;
    for (int attempt = 0; attempt < LOCK_ATTEMPTS; attempt++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return fd;
        if (errno != EWOULDBLOCK && errno != EINTR)
            break;
        (void)nanosleep(&pause, NULL);
    }
    (void)close(fd);
    return -1;
}

void spool_release(int fd)
{
    if (fd < 0)
        return;
    (void)flock(fd, LOCK_UN);
    (void)close(fd);
}

static bool write_all(int fd, const char *bytes, size_t count)
{
    while (count > 0) {
        ssize_t written = write(fd, bytes, count);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        bytes += written;
        count -= (size_t)written;
    }
    return true;
}

/*
 * A new file that is locked as long as it is written. Whoever gets the lock
 * of one knows that its writer is dead, and may have swept it away between
 * our open and our lock.
 */
static int create_new(const struct exp_spool *spool, char *name, size_t bytes)
{
    for (int attempt = 0; attempt < WRITE_ATTEMPTS; attempt++) {
        char id[EXP_ID_BYTES];
        struct stat info;
        (void)snprintf(name, bytes, ".new-%s", exp_id_make(id));
        int fd = openat(
            spool->folder, name,
            O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
            return -1;
        if (flock(fd, LOCK_EX) == 0 && fstat(fd, &info) == 0 &&
            info.st_nlink == 1)
            return fd;
        (void)close(fd);
    }
    return -1;
}

/* The file, named, and locked still; -1 and errno. */
static int write_named(
    const struct exp_spool *spool, const char *name, const void *bytes,
    size_t count, bool is_synced_first)
{
    char temporary[SPOOL_NAME_BYTES];
    int fd = create_new(spool, temporary, sizeof temporary);
    if (fd < 0)
        return -1;
    if (write_all(fd, bytes, count) && (!is_synced_first || fsync(fd) == 0) &&
        renameat(spool->folder, temporary, spool->folder, name) == 0)
        return fd;
    int failure = errno;
    (void)unlinkat(spool->folder, temporary, 0);
    spool_release(fd);
    errno = failure;
    return -1;
}

bool spool_write(
    const struct exp_spool *spool, const char *name, const void *bytes,
    size_t count)
{
    int fd = write_named(spool, name, bytes, count, true);
    spool_release(fd);
    /* The name is on disk only when the folder is. */
    return fd >= 0 && fsync(spool->folder) == 0;
}

int spool_write_unsynced(
    const struct exp_spool *spool, const char *name, const void *bytes,
    size_t count)
{
    int fd = write_named(spool, name, bytes, count, false);
    if (fd >= 0) /* begun now, so that one disk's wait is all of theirs */
        (void)sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
    return fd;
}

bool spool_read_state(
    const struct exp_spool *spool, const char *name,
    char text[static SPOOL_STATE_BYTES])
{
    struct stat info;
    ssize_t got = -1;
    int fd = openat(
        spool->folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    if (fstat(fd, &info) == 0 && spool_file_is_ours(&info))
        got = read(fd, text, SPOOL_STATE_BYTES - 1);
    (void)close(fd);
    if (got < 0)
        return false;
    text[got] = '\0';
    return strlen(text) == (size_t)got;
}

static bool read_discard(const char *line, struct exp_discards *discards)
{
    char reason[32], category[32];
    uint64_t quantity;
    if (sscanf(line, "lost %31s %31s %" SCNu64, reason, category, &quantity) !=
        3)
        return false;
    enum exp_category column = exp_category_find(category, strlen(category));
    for (int row = 0; row < EXP_DISCARD_COUNT; row++) {
        if (strcmp(exp_discard_name((enum exp_discard)row), reason) == 0 &&
            column < EXP_CATEGORY_COUNT) {
            discards->counts[row][column] = quantity;
            return true;
        }
    }
    return true; /* a later version's */
}

static bool parse_ledger(char *text, struct spool_ledger *ledger)
{
    char *rest = text;
    const char *line = strsep(&rest, "\n");
    if (strcmp(line, first_line) != 0)
        return false;
    while ((line = strsep(&rest, "\n")) != NULL) {
        if (strcmp(line, "end") == 0)
            return true;
        if (sscanf(line, "foreign %" SCNu64, &ledger->foreign_count) != 1 &&
            sscanf(line, "gone %63s", ledger->gone) != 1 &&
            !read_discard(line, &ledger->discards))
            return false;
    }
    return false; /* cut short */
}

void spool_read_ledger(struct exp_spool *spool, struct spool_ledger *ledger)
{
    char text[SPOOL_STATE_BYTES];
    *ledger = (struct spool_ledger){0};
    if (!spool_read_state(spool, "discards", text)) {
        /* None yet, or one that is not ours, which a write replaces. */
        ledger->foreign_count =
            faccessat(spool->folder, "discards", F_OK, AT_SYMLINK_NOFOLLOW) ==
            0;
    } else if (!parse_ledger(text, ledger)) {
        *ledger = (struct spool_ledger){.foreign_count = 1};
    }
}

bool spool_write_ledger(
    const struct exp_spool *spool, const struct spool_ledger *ledger)
{
    struct exp_writer *writer = exp_writer_create_memory();
    if (writer == NULL)
        return false;
    exp_write_format(
        writer, "%s\nforeign %" PRIu64 "\n", first_line, ledger->foreign_count);
    if (ledger->gone[0] != '\0')
        exp_write_format(writer, "gone %s\n", ledger->gone);
    for (int reason = 0; reason < EXP_DISCARD_COUNT; reason++) {
        for (int category = 0; category < EXP_CATEGORY_COUNT; category++) {
            uint64_t count = ledger->discards.counts[reason][category];
            if (count > 0)
                exp_write_format(
                    writer, "lost %s %s %" PRIu64 "\n",
                    exp_discard_name((enum exp_discard)reason),
                    exp_category_name((enum exp_category)category), count);
        }
    }
    exp_write_text(writer, "end\n");
    size_t count = 0;
    const char *text = exp_writer_bytes(writer, &count);
    bool is_written =
        text != NULL && spool_write(spool, "discards", text, count);
    exp_writer_destroy(writer);
    return is_written;
}

/*
 * First the ledger, which says that the envelope is gone, then the envelope:
 * a ledger whose `gone` is still there belongs to somebody who died between
 * the two, and is carried out by whoever comes next.
 */
void spool_remove_counted(
    struct exp_spool *spool, const char *name, const struct exp_discards *lost,
    const struct exp_discards *told)
{
    struct spool_ledger ledger;
    spool_read_ledger(spool, &ledger);
    if (ledger.gone[0] != '\0')
        (void)unlinkat(spool->folder, ledger.gone, 0);
    exp_discards_add(&ledger.discards, lost);
    exp_discards_subtract(&ledger.discards, told);
    (void)snprintf(ledger.gone, sizeof ledger.gone, "%s", name);
    /* On a full disk the count is lost, not the room. */
    (void)spool_write_ledger(spool, &ledger);
    (void)unlinkat(spool->folder, name, 0);
    (void)fsync(spool->folder);
}

void exp_spool_count_discards(
    struct exp_spool *spool, const struct exp_discards *discards)
{
    struct spool_ledger ledger;
    int lock = spool_lock(spool);
    if (lock < 0)
        return;
    spool_read_ledger(spool, &ledger);
    exp_discards_add(&ledger.discards, discards);
    (void)spool_write_ledger(spool, &ledger);
    spool_release(lock);
}
