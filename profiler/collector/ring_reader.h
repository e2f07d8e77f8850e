/*
 * The reader's side of the ring in profiler/wire/ring.h. The memory belongs to
 * the target and is untrusted: records are copied out before they are looked
 * at. One reader per ring.
 */
#ifndef PROFILER_COLLECTOR_RING_READER_H
#define PROFILER_COLLECTOR_RING_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "profiler/wire/segment.h"

struct prof_ring_reader {
    struct wire_ring ring;
    uint64_t tail; /* ours; the target could overwrite the shared one */
    uint64_t died; /* records given up because their writer was dead */
    uint64_t device, inode; /* of the segment: who has it mapped, shows them */
};

/*
 * Map the segment behind `fd`, which stays the caller's. Refused unless it is
 * sealed against shrinking, has the right size, magic and version.
 */
MUST_CHECK enum status prof_ring_reader_open(
    struct prof_ring_reader *reader, int fd, struct diag *diag);

void prof_ring_reader_close(struct prof_ring_reader *reader);

/* Whether the thread `tid` of the ring's process can still write. */
typedef bool prof_ring_is_alive(void *context, uint32_t tid);

/*
 * Copy the next record to `buffer`.
 *
 *   buffer   WIRE_RECORD_BLOCKS * WIRE_BLOCK_BYTES bytes
 *   returns  the bytes copied, or 0: nothing is ready
 *   errors   a descriptor that breaks the protocol is skipped with its block
 *            and counts in `*malformed`
 */
uint32_t prof_ring_read(
    struct prof_ring_reader *reader, void *buffer, prof_ring_is_alive *is_alive,
    void *context, uint64_t *malformed);

#endif
