/* Chunks into a spool. */
#ifndef EXPORTERS_SENTRY_CHUNK_SPOOL_H
#define EXPORTERS_SENTRY_CHUNK_SPOOL_H

#include "exporters/sentry/chunk.h"

/*
 * An exp_chunk_take of which the context is a struct exp_spool: each chunk is
 * an envelope of its own.
 *
 *   returns  as exp_spool_add()
 */
exp_chunk_take exp_chunk_spool;

#endif
