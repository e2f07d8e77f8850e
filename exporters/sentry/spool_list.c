/* What is in the folder of a spool, in the order it is to be sent. */
#include "exporters/sentry/spool_model.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "exporters/sentry/id.h"
#include "profiler/base/clock.h"
#include "profiler/base/table.h"

static const char letters[EXP_RANK_COUNT + 1] = {
    [EXP_RANK_PROFILE] = 'p',
    [EXP_RANK_TRANSACTION] = 't',
    [EXP_RANK_SESSION] = 's',
    [EXP_RANK_EVENT] = 'e'};

static const char suffix[] = ".envelope.gz";

enum { TIME_DIGITS = 16, RANDOM_DIGITS = 16 };

_Static_assert(
    3 + TIME_DIGITS + RANDOM_DIGITS + sizeof suffix <= SPOOL_NAME_BYTES,
    "a name has room");

uint64_t spool_now_ms(void)
{
    return clock_now_ns(CLOCK_REALTIME) / 1000000;
}

const char *spool_make_name(
    enum exp_rank rank, char name[static SPOOL_NAME_BYTES])
{
    char id[EXP_ID_BYTES];
    (void)snprintf(
        name, SPOOL_NAME_BYTES, "%c-%016" PRIu64 "-%.16s%s", letters[rank],
        spool_now_ms(), exp_id_make(id), suffix);
    return name;
}

static bool parse_name(const char *name, struct spool_entry *entry)
{
    const char *letter = name[0] != '\0' ? strchr(letters, name[0]) : NULL;
    const char *time = name + 2;
    const char *random = time + TIME_DIGITS + 1;
    if (letter == NULL ||
        strlen(name) != 3 + TIME_DIGITS + RANDOM_DIGITS + strlen(suffix) ||
        name[1] != '-' || random[-1] != '-' ||
        strspn(time, "0123456789") != TIME_DIGITS ||
        strspn(random, "0123456789abcdef") != RANDOM_DIGITS ||
        strcmp(random + RANDOM_DIGITS, suffix) != 0)
        return false;
    *entry = (struct spool_entry){
        .rank = (enum exp_rank)(letter - letters),
        .time_ms = strtoull(time, NULL, 10)};
    memcpy(entry->name, name, strlen(name) + 1);
    return true;
}

/* What a dead writer left is nobody's; see spool_write(). */
static void sweep(const struct exp_spool *spool, const char *name)
{
    struct stat info;
    int fd = openat(
        spool->folder, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return;
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) &&
        flock(fd, LOCK_EX | LOCK_NB) == 0)
        (void)unlinkat(spool->folder, name, 0);
    (void)close(fd);
}

static bool is_kept_beside(const char *name)
{
    static const char *const names[] = {".",      "..",     "lock",  "discards",
                                        "limits", "report", "aside", "crashes"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return false;
}

/* Take one name of the folder to the list, or see to it in another way. */
static bool take_name(
    struct exp_spool *spool, const char *name, struct table *entries,
    uint64_t *bytes)
{
    struct spool_entry entry;
    struct stat info;
    if (is_kept_beside(name))
        return true;
    if (strncmp(name, ".new-", 5) == 0) {
        sweep(spool, name);
        return true;
    }
    if (fstatat(spool->folder, name, &info, AT_SYMLINK_NOFOLLOW) != 0)
        return true; /* gone by now */
    if (!parse_name(name, &entry) || !spool_file_is_ours(&info)) {
        spool_set_aside(spool, name);
        return true;
    }
    entry.bytes = (uint64_t)info.st_size;
    *bytes += entry.bytes;
    return table_add(entries, &entry) != TABLE_NONE;
}

/* The highest rank first, the oldest of a rank first. */
static int compare(const void *left, const void *right)
{
    const struct spool_entry *a = left, *b = right;
    if (a->rank != b->rank)
        return a->rank > b->rank ? -1 : 1;
    return strcmp(a->name, b->name);
}

enum status spool_list_read(struct exp_spool *spool, struct spool_list *list)
{
    struct table entries = {.row_bytes = sizeof(struct spool_entry)};
    struct spool_list made = {0};
    /* A descriptor of its own, as it has a position. */
    int fd = openat(spool->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
    if (stream == NULL) {
        if (fd >= 0)
            (void)close(fd);
        return STATUS_SYSTEM;
    }
    enum status status = STATUS_OK;
    const struct dirent *entry;
    while (status == STATUS_OK && (entry = readdir(stream)) != NULL) {
        if (!take_name(spool, entry->d_name, &entries, &made.bytes))
            status = STATUS_NO_MEMORY;
    }
    (void)closedir(stream);
    if (status != STATUS_OK) {
        table_fini(&entries);
        return status;
    }
    made.entries = entries.rows;
    made.count = entries.count;
    if (made.count > 0)
        qsort(made.entries, made.count, sizeof *made.entries, compare);
    *list = made;
    return STATUS_OK;
}

void spool_list_fini(struct spool_list *list)
{
    free(list->entries);
}

uint32_t exp_spool_count(struct exp_spool *spool)
{
    struct spool_list list;
    if (spool_list_read(spool, &list) != STATUS_OK)
        return 0;
    uint32_t count = list.count;
    spool_list_fini(&list);
    return count;
}
