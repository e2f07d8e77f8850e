/*
 * Where an agent finds the tables of rows that the collector makes for it.
 *
 * Interpreting CFI with cold caches is most of what a sample costs. For code
 * that is sampled often, the collector makes a table of rows (profiler/unwind/
 * sig_row_table.h), once per build-id and session, in a memfd that every
 * target gets with the reply to HELLO and maps read-only.
 *
 * The agent posts the modules it has: entry i of `modules`, then, releasing
 * it, a count of i + 1. An entry never changes again; a module that goes
 * leaves its entry behind, and when all are used, later modules go without.
 * The collector finds out which file stands at `start`, believes it when its
 * build-id begins with `identity`, and releases into `places` where in the
 * memfd the table is.
 */
#ifndef PROFILER_WIRE_SLOTS_H
#define PROFILER_WIRE_SLOTS_H

#include <stdatomic.h>
#include <stdint.h>

#define WIRE_SLOT_COUNT 1024u

struct wire_slots {
    _Atomic uint64_t places[WIRE_SLOT_COUNT]; /* of tables; 0: none yet */
    struct wire_slot_module {
        uint64_t start;    /* pc of the module's first executable byte */
        uint64_t identity; /* the first 8 bytes of its build-id */
    } modules[WIRE_SLOT_COUNT];
};

/* Of the memfd with the tables: 90 KiB to 1 MiB of text. */
#define WIRE_TABLES_BYTES (8u << 20)

#endif
