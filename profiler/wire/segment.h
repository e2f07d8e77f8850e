/*
 * The shared memory of an agent and the collector: a ring of records (ring.h),
 * and what else the two tell each other in memory (header.h, crash.h, slots.h).
 *
 * The agent makes one memfd per process, seals its size and sends it with
 * HELLO. Both sides map it, and the first data blocks behind the last, so that
 * no record ever wraps.
 *
 *     struct wire_header       one page
 *     struct wire_crashes      five pages
 *     struct wire_slots        six pages
 *     descriptors              WIRE_BLOCK_COUNT words of 8 bytes
 *     blocks                   WIRE_BLOCK_COUNT blocks of WIRE_BLOCK_BYTES
 */
#ifndef PROFILER_WIRE_SEGMENT_H
#define PROFILER_WIRE_SEGMENT_H

#include <stdatomic.h>
#include <stdint.h>

#include "profiler/wire/crash.h"
#include "profiler/wire/header.h"
#include "profiler/wire/ring.h"
#include "profiler/wire/slots.h"

#define WIRE_HEADER_BYTES  4096u
#define WIRE_CRASHES_BYTES (5u * 4096u)
#define WIRE_SLOTS_BYTES   (24u * WIRE_SLOT_COUNT)
#define WIRE_DATA_BYTES    (WIRE_BLOCK_BYTES * WIRE_BLOCK_COUNT)
#define WIRE_SLOTS_OFFSET  (WIRE_HEADER_BYTES + WIRE_CRASHES_BYTES)
#define WIRE_WORDS_OFFSET  (WIRE_SLOTS_OFFSET + WIRE_SLOTS_BYTES)
#define WIRE_BLOCKS_OFFSET (WIRE_WORDS_OFFSET + 8u * WIRE_BLOCK_COUNT)
#define WIRE_SEGMENT_BYTES (WIRE_BLOCKS_OFFSET + WIRE_DATA_BYTES)

/* Of the blocks, what a record that begins in the last one reaches into. */
#define WIRE_TWICE_BYTES   (3u * 4096u)

/* One side's view of a segment. */
struct wire_ring {
    struct wire_header *header;
    struct wire_crashes *crashes;
    struct wire_slots *slots;
    _Atomic uint64_t *descriptors;
    unsigned char *blocks; /* and behind them the first WIRE_TWICE_BYTES */
};

_Static_assert(sizeof(struct wire_header) <= WIRE_HEADER_BYTES, "one page");
_Static_assert(sizeof(struct wire_crashes) <= WIRE_CRASHES_BYTES, "fits");
_Static_assert(WIRE_CRASHES_BYTES % 4096 == 0, "whole pages");
_Static_assert(sizeof(struct wire_slots) == WIRE_SLOTS_BYTES, "no padding");
_Static_assert(WIRE_SLOTS_BYTES % 4096 == 0, "whole pages");
_Static_assert(WIRE_BLOCKS_OFFSET % 4096 == 0, "blocks can be mapped twice");
_Static_assert(
    WIRE_RECORD_BLOCKS *WIRE_BLOCK_BYTES <= WIRE_TWICE_BYTES, "any record");

#endif
