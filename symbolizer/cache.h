/*
 * The folder that keeps indexes from one run to the next.
 *
 *   NAME.index          whole, and never changed again
 *   .NAME.PID.N.partial being written
 *
 * A file appears by being renamed, so that a reader sees a whole one or none,
 * and two processes that make the same one at once replace each other's. When
 * all files together outgrow the limit, those not used for the longest time
 * go; a file's access time, set by hand at every use, says when that was.
 *
 * Only what this user owns and nobody else may write is used, be it the folder
 * or a file in it: others could have it say anything, or cut it short while it
 * is mapped.
 */
#ifndef SYMBOLIZER_CACHE_H
#define SYMBOLIZER_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/status.h"

#define SYM_CACHE_NAME_BYTES 192

struct sym_cache {
    int folder; /* descriptor; -1: not usable */
    uint64_t limit_bytes;
};

/* A file on its way into the cache. */
struct sym_cache_entry {
    int fd;
    char name[SYM_CACHE_NAME_BYTES]; /* final */
    char partial[SYM_CACHE_NAME_BYTES + 40];
};

/*
 * Open the folder, and make it where its parent exists.
 *
 *   errors   SYSTEM; NOT_PERMITTED when it is not ours alone
 */
MUST_CHECK enum status sym_cache_open(
    struct sym_cache *cache, const char *folder, uint64_t limit_bytes,
    struct diag *diag);
void sym_cache_close(struct sym_cache *cache);

/* A descriptor of a file that may be mapped, or -1; it counts as used now. */
int sym_cache_find(const struct sym_cache *cache, const char *name);

/* Forget a file that proved damaged. */
void sym_cache_remove(const struct sym_cache *cache, const char *name);

/* Begin a file; end it by a commit or by abandoning it. */
MUST_CHECK enum status sym_cache_begin(
    const struct sym_cache *cache, const char *name,
    struct sym_cache_entry *entry, struct diag *diag);
MUST_CHECK enum status sym_cache_commit(
    const struct sym_cache *cache, struct sym_cache_entry *entry,
    struct diag *diag);
void sym_cache_abandon(
    const struct sym_cache *cache, struct sym_cache_entry *entry);

/* Take it out of the folder, whoever may still write to it; once it was ended
 * there is nothing to take. */
void sym_cache_withdraw(
    const struct sym_cache *cache, const struct sym_cache_entry *entry);

#endif
