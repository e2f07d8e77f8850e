/*
 * Envelopes on disk, until the backend has answered.
 *
 * What exp_spool_add() returned from is not lost: not by our end, however it
 * comes, nor by that of the system, nor by a backend that is away for days.
 * Only the caps take something: the lowest rank first (profiles, then
 * transactions, sessions, events), the oldest of a rank first, and counted. Any
 * number of processes and threads may share a folder. Who sends is elsewhere:
 * sender.h. How it is kept: spool.c.
 */
#ifndef EXPORTERS_SENTRY_SPOOL_H
#define EXPORTERS_SENTRY_SPOOL_H

#include <stddef.h>
#include <stdint.h>

#include "exporters/sentry/discards.h"
#include "profiler/base/status.h"

struct exp_dsn;
struct exp_envelope;
struct exp_spool;

struct exp_spool_caps {
    uint64_t bytes; /* of all envelopes, packed; 0: 256 MiB */
    uint64_t age_s; /* 0: 7 days */
    uint32_t count; /* 0: 16384 */
};

/*
 * The folder for this DSN: below WATCHFIRE_SPOOL, or else of
 * $XDG_STATE_HOME/watchfire/spool, or of ~/.local/state/watchfire/spool.
 * It need not exist yet.
 */
MUST_CHECK enum status exp_spool_place(
    const struct exp_dsn *dsn, char *path, size_t bytes, struct diag *diag);

/*
 * Open, and make if need be. NOT_PERMITTED when the folder is another user's
 * or open to others: nothing in it can be trusted then.
 *
 *   caps  NULL: those of the header
 */
MUST_CHECK enum status exp_spool_open(
    struct exp_spool **spool, const char *folder,
    const struct exp_spool_caps *caps, struct diag *diag);

/*
 * Open the place of a DSN; where there can be none, as for a service's user
 * without a home, a folder below $TMPDIR that ends with the spool, unless
 * envelopes are left in it, which the next one finds.
 *
 *   diag  also filled in on success, if it is that: why, and what it means
 */
MUST_CHECK enum status exp_spool_open_for(
    struct exp_spool **spool, const struct exp_dsn *dsn, struct diag *diag);

/* Where it is; valid as long as the spool. */
const char *exp_spool_path(const struct exp_spool *spool);

void exp_spool_close(struct exp_spool *spool); /* NULL is accepted */

/*
 * Keep an envelope. It is on disk, name and all, when this returns OK.
 *
 *   context  any thread; takes milliseconds, as it waits for the disk
 *   returns  LIMIT when it alone exceeds the caps, which is counted; SYSTEM
 *            when the disk is full even without what could give way
 */
MUST_CHECK enum status exp_spool_add(
    struct exp_spool *spool, struct exp_envelope *envelope, struct diag *diag);

/* The same, of bytes that may not be an envelope (MALFORMED). */
MUST_CHECK enum status exp_spool_add_bytes(
    struct exp_spool *spool, const void *bytes, size_t count,
    struct diag *diag);

/* Of exp_spool_add_many(). */
#define EXP_SPOOL_MANY 64u

/*
 * Keep several, as many as EXP_SPOOL_MANY, with one wait for the disk. Each is
 * in the folder as soon as it is written, and from then on no end of ours loses
 * it; all are on disk when this returns. What cannot be kept is counted.
 *
 *   returns  how many are kept
 */
uint32_t exp_spool_add_many(
    struct exp_spool *spool, struct exp_envelope *const *envelopes,
    uint32_t count);

/* Count what was lost before it could be kept. */
void exp_spool_count_discards(
    struct exp_spool *spool, const struct exp_discards *discards);

/* Envelopes that wait; those that others are sending just now among them. */
uint32_t exp_spool_count(struct exp_spool *spool);

#endif
