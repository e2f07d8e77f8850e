/*
 * The modules that a target has posted in its segment, and the tables of rows
 * that are handed to it there; the protocol stands in profiler/wire/slots.h.
 */
#ifndef PROFILER_COLLECTOR_SLOTS_H
#define PROFILER_COLLECTOR_SLOTS_H

#include <stdint.h>

#include "profiler/base/table.h"
#include "profiler/collector/address_space.h"
#include "profiler/collector/tables.h"
#include "profiler/wire/segment.h"

struct prof_slots {
    struct table waiting; /* posted, and without a table so far */
    uint32_t seen;        /* posts that were read */
    /* What was known when they were last gone through. */
    uint64_t space_generation;
    uint32_t table_count;
};

void prof_slots_init(struct prof_slots *slots);
void prof_slots_fini(struct prof_slots *slots);

/*
 * Hand out the tables there are.
 *
 *   ring   the target's, untrusted: a post is believed only where `space` has
 *          a module whose build-id it names
 */
void prof_slots_serve(
    struct prof_slots *slots, const struct wire_ring *ring,
    const struct prof_address_space *space, const struct prof_tables *tables);

#endif
