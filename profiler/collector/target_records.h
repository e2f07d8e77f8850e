/*
 * The records of one drain: what the ring held, copied out of memory that the
 * target may write to, in the order they were committed.
 */
#ifndef PROFILER_COLLECTOR_TARGET_RECORDS_H
#define PROFILER_COLLECTOR_TARGET_RECORDS_H

#include <stdint.h>

#include "profiler/wire/ring.h"

struct prof_target;

enum { PROF_RECORD_ROOM = WIRE_RECORD_BLOCKS * WIRE_BLOCK_BYTES };

/*
 * Append what the ring holds, a lap of it at most, so that a target cannot keep
 * us here.
 *
 *   returns  the share of the ring that was full, 0 to 1
 */
double prof_target_take(struct prof_target *target);

/*
 * Copy the record at `*at`, which begins at 0, and move on. Taking more
 * meanwhile is well.
 *
 *   record   PROF_RECORD_ROOM of room, aligned for any record
 *   returns  its size in bytes, as much of it as was in the ring; 0 at the end
 */
uint32_t prof_target_record(
    const struct prof_target *target, uint32_t *at, void *record);

#endif
