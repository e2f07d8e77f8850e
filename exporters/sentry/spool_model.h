/* How a spool is kept: for the files of the spool alone. See spool.c. */
#ifndef EXPORTERS_SENTRY_SPOOL_MODEL_H
#define EXPORTERS_SENTRY_SPOOL_MODEL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "exporters/sentry/discards.h"
#include "exporters/sentry/gzip.h"
#include "exporters/sentry/spool.h"

struct exp_spool {
    int folder;
    char *path; /* for sentences */
    struct exp_spool_caps caps;
    void (*leave)(struct exp_spool *spool); /* before its end; NULL: nothing */
    int passing_lock; /* of a folder for this process alone */
};

/* "e-0001763800000123-0123456789abcdef.envelope.gz" and the NUL. */
#define SPOOL_NAME_BYTES 64

/* What is kept beside the envelopes, in one file. */
struct spool_ledger {
    struct exp_discards discards;
    uint64_t foreign_count; /* files that were set aside */
    /* Settled, but perhaps not yet removed: never to be sent. "": none. */
    char gone[SPOOL_NAME_BYTES];
};

/* spool.c */

/* Let go of what is too old. */
void spool_keep_caps(struct exp_spool *spool);

/* spool_folder.c */

/* Open `path`, made if need be, when it is ours alone; -1 and `diag`. */
int spool_folder_open(const char *path, struct diag *diag);

/* Whether nobody but us has made it, and can have put anything there. */
bool spool_folder_is_private(const struct stat *info);

/* Whether an open file is of those we make: regular, ours, one name. */
bool spool_file_is_ours(const struct stat *info);

/* spool_aside.c */

/* Move what is not ours, or is damaged, out of the way. */
void spool_set_aside(struct exp_spool *spool, const char *name);

/* spool_state.c */

/*
 * The lock of what is kept beside the envelopes. Held for milliseconds; not
 * waited for longer than some seconds, as its holder may be stopped.
 *
 *   returns  a descriptor, to be released, or -1
 */
int spool_lock(const struct exp_spool *spool);

/*
 * Unlock and close a file. Closing alone would leave the lock with a child of
 * ours that was forked meanwhile, for as long as it lives. -1 is accepted.
 */
void spool_release(int fd);

/*
 * Give `name` this content: the file is replaced as a whole, and on disk when
 * this returns true. A content that was abandoned midway is swept away by
 * spool_sweep().
 */
bool spool_write(
    const struct exp_spool *spool, const char *name, const void *bytes,
    size_t count);

/*
 * The same, but not on disk yet: whoever kills us does not lose it, the end of
 * the system may. Returns the file, to be synced and released; -1 and errno.
 */
int spool_write_unsynced(
    const struct exp_spool *spool, const char *name, const void *bytes,
    size_t count);

/* More than any of the files beside the envelopes has. */
#define SPOOL_STATE_BYTES 16384

/* The content of such a file, as a text; false when there is none of ours. */
bool spool_read_state(
    const struct exp_spool *spool, const char *name,
    char text[static SPOOL_STATE_BYTES]);

/* What is kept; of a damaged file nothing, which is counted. */
void spool_read_ledger(struct exp_spool *spool, struct spool_ledger *ledger);
bool spool_write_ledger(
    const struct exp_spool *spool, const struct spool_ledger *ledger);

/*
 * Remove an envelope and count what that loses, exactly once whatever
 * happens in between. The lock is held.
 */
void spool_remove_counted(
    struct exp_spool *spool, const char *name, const struct exp_discards *lost,
    const struct exp_discards *told);

/* spool_list.c */

/* Names from the folder that are envelopes', as they are to be sent. */
struct spool_entry {
    char name[SPOOL_NAME_BYTES];
    enum exp_rank rank;
    uint64_t time_ms; /* since 1970 */
    uint64_t bytes;
};

struct spool_list {
    struct spool_entry *entries;
    uint32_t count;
    uint64_t bytes; /* of all */
};

/* Read the folder; what does not belong there is set aside. */
MUST_CHECK enum status spool_list_read(
    struct exp_spool *spool, struct spool_list *list);
void spool_list_fini(struct spool_list *list);

uint64_t spool_now_ms(void);

/* The name of a new envelope. Returns `name`. */
const char *spool_make_name(
    enum exp_rank rank, char name[static SPOOL_NAME_BYTES]);

/* spool_claim.c */

/*
 * Take an envelope for ourselves and unpack it. The claim is a lock on the
 * file, so that it ends with its holder, however that ends.
 *
 *   file     out: the lock, to be released
 *   content  out: the caller's to free
 *   returns  false when another has it, or it is gone, or was set aside
 */
bool spool_claim(
    struct exp_spool *spool, const char *name, int *file,
    struct exp_block *content);

#endif
