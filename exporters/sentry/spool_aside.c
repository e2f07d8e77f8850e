/* What lies in a spool's folder and does not belong there. */
#include "exporters/sentry/spool_model.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { ASIDE_MAX = 32 };

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
