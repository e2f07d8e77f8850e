/*
 * Envelopes on disk, until the backend has answered.
 *
 * A folder holds, each a file:
 *
 *     R-TIME-RANDOM.envelope.gz  one envelope, packed by gzip, whose checksum
 *                                tells a damaged one. R is its rank (e, s, t,
 *                                p), TIME the milliseconds since 1970
 *     .new-ID                    one that is being written, locked by its
 *                                writer; free of the lock, its writer is dead
 *     discards                     the ledger: what was lost and not told yet
 *     limits                     the backend's rate limits (rate_limits.h)
 *     report                     held by whoever tells the backend of losses
 *     lock                       held while the ledger or the limits change
 *     aside/                     what was foreign or damaged: never sent
 *
 * Keeping. Written under another name, synced, renamed, and the folder synced:
 * at each point there is the whole envelope or none. Of several, each is
 * renamed at once, and all are synced in the end: a system that ends in between
 * may leave a damaged one, which is told by its checksum, and counted.
 *
 * Sending. A sender claims an envelope by flock(2) on its file: there is no
 * claim without a living claimer. When the answer is there, the file is
 * removed; until then it stays, so that an envelope is sent twice exactly when
 * its first answer did not make it to the disk. It has its ids by then, so that
 * the second is the same to the backend.
 *
 * Losing. Caps, limits and refusals remove an envelope and count it. A ledger
 * with the new counts and the envelope's name as `gone` is put in place first:
 * who finds both ledger and envelope finishes the removal and does not count
 * again.
 *
 * Nothing here is waited for without a limit: a process that is stopped while
 * it has the lock keeps others from evicting, not from keeping.
 */
#include "exporters/sentry/spool.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exporters/sentry/envelope.h"
#include "exporters/sentry/envelope_reader.h"
#include "exporters/sentry/gzip.h"
#include "exporters/sentry/spool_model.h"

static const struct exp_spool_caps default_caps = {
    .bytes = UINT64_C(256) << 20, .age_s = 7 * 24 * 3600, .count = 16384};

enum status exp_spool_open(
    struct exp_spool **spool, const char *folder,
    const struct exp_spool_caps *caps, struct diag *diag)
{
    struct exp_spool *made = calloc(1, sizeof *made);
    if (made == NULL)
        return fail(diag, STATUS_NO_MEMORY, "out of memory");
    made->caps = caps != NULL ? *caps : default_caps;
    if (made->caps.bytes == 0)
        made->caps.bytes = default_caps.bytes;
    if (made->caps.age_s == 0)
        made->caps.age_s = default_caps.age_s;
    if (made->caps.count == 0)
        made->caps.count = default_caps.count;
    struct diag why = {.status = STATUS_OK};
    made->path = strdup(folder);
    made->folder = spool_folder_open(folder, &why);
    if (made->folder < 0 || made->path == NULL) {
        exp_spool_close(made);
        if (why.status == STATUS_OK)
            return fail(diag, STATUS_NO_MEMORY, "out of memory");
        if (diag != NULL)
            *diag = why;
        return why.status;
    }
    *spool = made;
    return STATUS_OK;
}

const char *exp_spool_path(const struct exp_spool *spool)
{
    return spool->path;
}

void exp_spool_close(struct exp_spool *spool)
{
    if (spool == NULL)
        return;
    if (spool->leave != NULL)
        spool->leave(spool);
    if (spool->folder >= 0)
        (void)close(spool->folder);
    free(spool->path);
    free(spool);
}

/* Remove one that nobody is sending; false when it stays. */
static bool evict(
    struct exp_spool *spool, const struct spool_entry *entry,
    enum exp_discard reason)
{
    const struct exp_discards none = {0};
    struct exp_discards lost = {0};
    struct exp_block content;
    int file;
    if (!spool_claim(spool, entry->name, &file, &content))
        return false;
    if (exp_discards_add_envelope(
            &lost, reason, content.bytes, content.count) == STATUS_OK) {
        int lock = spool_lock(spool);
        if (lock >= 0)
            spool_remove_counted(spool, entry->name, &lost, &none);
        spool_release(lock);
    }
    free(content.bytes);
    spool_release(file);
    return true;
}

static bool is_old(
    const struct exp_spool *spool, const struct spool_entry *entry)
{
    uint64_t now_ms = spool_now_ms();
    return now_ms > entry->time_ms &&
           (now_ms - entry->time_ms) / 1000 > spool->caps.age_s;
}

static void evict_old(struct exp_spool *spool, struct spool_list *list)
{
    for (uint32_t i = 0; i < list->count; i++) {
        struct spool_entry *entry = &list->entries[i];
        if (is_old(spool, entry) &&
            evict(spool, entry, EXP_DISCARD_NETWORK_ERROR)) {
            list->bytes -= entry->bytes;
            entry->bytes = 0; /* not to be evicted again */
        }
    }
}

/*
 * See to it that one more envelope of this rank fits. Nothing of a higher rank
 * gives way to it.
 *
 *   least    evict at least so many, whatever the caps say: the disk is full
 *   returns  whether there is room, or was made
 */
static bool make_room(
    struct exp_spool *spool, uint64_t bytes, enum exp_rank rank, uint32_t least)
{
    struct spool_list list;
    if (spool_list_read(spool, &list) != STATUS_OK)
        return false;
    evict_old(spool, &list);
    uint64_t total = list.bytes + bytes;
    uint32_t count = list.count + 1;
    for (int lower = 0; lower <= (int)rank; lower++) {
        for (uint32_t i = 0; i < list.count; i++) {
            const struct spool_entry *entry = &list.entries[i];
            if (total <= spool->caps.bytes && count <= spool->caps.count &&
                least == 0)
                break;
            if ((int)entry->rank != lower || entry->bytes == 0 ||
                !evict(spool, entry, EXP_DISCARD_CACHE_OVERFLOW))
                continue;
            total -= entry->bytes;
            count--;
            least -= least > 0;
        }
    }
    spool_list_fini(&list);
    return total <= spool->caps.bytes && count <= spool->caps.count &&
           least == 0;
}

void spool_keep_caps(struct exp_spool *spool)
{
    struct spool_list list;
    if (spool_list_read(spool, &list) != STATUS_OK)
        return;
    evict_old(spool, &list);
    spool_list_fini(&list);
}

/* Write, and have others give way as long as the disk is full. */
static enum status keep(
    struct exp_spool *spool, enum exp_rank rank, const struct exp_block *packed,
    struct diag *diag)
{
    char name[SPOOL_NAME_BYTES];
    bool has_room = make_room(spool, packed->count, rank, 0);
    while (has_room) {
        if (spool_write(
                spool, spool_make_name(rank, name), packed->bytes,
                packed->count))
            return STATUS_OK;
        if (errno != ENOSPC && errno != EDQUOT)
            return fail(
                diag, STATUS_SYSTEM, "cannot write to the spool '%s'",
                spool->path);
        has_room = make_room(spool, packed->count, rank, 1);
    }
    return fail(
        diag, STATUS_LIMIT,
        "the spool '%s' has no room for %zu bytes: its caps are %" PRIu64
        " bytes and %" PRIu32 " envelopes",
        spool->path, packed->count, spool->caps.bytes, spool->caps.count);
}

/* As it is kept: `packed` is the caller's to free. */
static enum status pack(
    const void *bytes, size_t count, enum exp_rank *rank,
    struct exp_block *packed, struct diag *diag)
{
    enum status status = exp_envelope_check(bytes, count, rank, diag);
    if (status != STATUS_OK)
        return status;
    status = exp_gzip_pack(bytes, count, packed);
    return status == STATUS_OK
               ? status
               : fail(diag, status, "pack: %s", status_text(status));
}

enum status exp_spool_add_bytes(
    struct exp_spool *spool, const void *bytes, size_t count, struct diag *diag)
{
    enum exp_rank rank;
    struct exp_block packed;
    struct exp_discards lost = {0};
    enum status status = pack(bytes, count, &rank, &packed, diag);
    if (status != STATUS_OK)
        return status;
    status = keep(spool, rank, &packed, diag);
    free(packed.bytes);
    if (status != STATUS_OK &&
        exp_discards_add_envelope(
            &lost, EXP_DISCARD_CACHE_OVERFLOW, bytes, count) == STATUS_OK)
        exp_spool_count_discards(spool, &lost);
    return status;
}

enum status exp_spool_add(
    struct exp_spool *spool, struct exp_envelope *envelope, struct diag *diag)
{
    size_t count = 0;
    const char *bytes = exp_envelope_bytes(envelope, &count);
    if (bytes == NULL)
        return fail(diag, STATUS_NO_MEMORY, "out of memory");
    return exp_spool_add_bytes(spool, bytes, count, diag);
}

/*
 * Write one of several, for which there is room, to be synced later. Returns
 * the file, or -1.
 */
static int add_unsynced(struct exp_spool *spool, struct exp_envelope *envelope)
{
    enum exp_rank rank;
    struct exp_block packed;
    char name[SPOOL_NAME_BYTES];
    size_t count = 0;
    const char *bytes = exp_envelope_bytes(envelope, &count);
    if (bytes == NULL || pack(bytes, count, &rank, &packed, NULL) != STATUS_OK)
        return -1;
    int file = spool_write_unsynced(
        spool, spool_make_name(rank, name), packed.bytes, packed.count);
    free(packed.bytes);
    return file;
}

/* Whether they fit with nothing giving way, were they not packed. */
static bool fit(
    struct exp_spool *spool, struct exp_envelope *const *envelopes,
    uint32_t count)
{
    struct spool_list list;
    if (spool_list_read(spool, &list) != STATUS_OK)
        return false;
    uint64_t total = list.bytes;
    for (uint32_t i = 0; i < count; i++) {
        size_t bytes = 0;
        (void)exp_envelope_bytes(envelopes[i], &bytes);
        total += bytes;
    }
    count += list.count;
    spool_list_fini(&list);
    return total <= spool->caps.bytes && count <= spool->caps.count;
}

uint32_t exp_spool_add_many(
    struct exp_spool *spool, struct exp_envelope *const *envelopes,
    uint32_t count)
{
    int files[EXP_SPOOL_MANY];
    uint32_t kept = 0;
    if (count > EXP_SPOOL_MANY)
        count = EXP_SPOOL_MANY;
    bool has_room = fit(spool, envelopes, count);
    for (uint32_t i = 0; i < count; i++)
        files[i] = has_room ? add_unsynced(spool, envelopes[i]) : -1;
    for (uint32_t i = 0; i < count; i++) {
        if (files[i] >= 0)
            (void)fsync(files[i]);
        spool_release(files[i]);
        kept += files[i] >= 0;
    }
    if (kept > 0)
        (void)fsync(spool->folder);
    /* One after the other those that others have to give way to. */
    for (uint32_t i = 0; i < count; i++)
        kept += files[i] < 0 &&
                exp_spool_add(spool, envelopes[i], NULL) == STATUS_OK;
    return kept;
}
