/*
 * Puts envelopes into a spool, in a thread of its own, for those who must not
 * wait for a disk. What is handed over is in the folder a quarter of a
 * millisecond later, unless others are before it, and on disk when that has
 * taken it; there are only so many at a time, and what is too much is counted
 * (queue_overflow).
 */
#ifndef EXPORTERS_SENTRY_KEEPER_H
#define EXPORTERS_SENTRY_KEEPER_H

#include <stdbool.h>

struct exp_envelope;
struct exp_keeper;
struct exp_sender;
struct exp_spool;

/*
 * Both are borrowed until the end; the sender is woken for each envelope.
 *
 *   returns  NULL when there is no memory, or no thread
 */
struct exp_keeper *exp_keeper_start(
    struct exp_spool *spool, struct exp_sender *sender);

/* Hand an envelope over, which is the keeper's from now on. Never waits. */
void exp_keeper_adopt(struct exp_keeper *keeper, struct exp_envelope *envelope);

/* All of it is in the spool, or was counted. NULL is accepted. */
void exp_keeper_finish(struct exp_keeper *keeper);

#endif
