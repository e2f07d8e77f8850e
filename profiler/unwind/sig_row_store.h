/*
 * Tables of rows that somebody else makes while we run.
 *
 * A store is one block of memory with tables in it (sig_row_table.h), and a
 * word for each text that says where its table begins. The word is 0 until
 * there is one and never changes again, so whoever reads it sees no table or
 * a whole one. Both may lie in memory that another process writes: whatever
 * stands there, nothing outside the block is read.
 */
#ifndef PROFILER_UNWIND_SIG_ROW_STORE_H
#define PROFILER_UNWIND_SIG_ROW_STORE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "profiler/unwind/sig_row_table.h"

#define PROF_ROW_STORE_ALIGN 64u

struct prof_row_store {
    const uint8_t *bytes;           /* NULL: there is none */
    uint64_t size_bytes;            /* stays readable; never shrinks */
    const _Atomic uint64_t *places; /* offsets into it, by slot */
    uint32_t slot_count;
};

/*
 * The table in `slot`, counted from 1.
 *
 *   returns  NULL when there is none yet, or none that lies in the block
 *   context  SIGNAL_SAFE
 */
SIGNAL_SAFE static inline const struct prof_row_table *prof_row_store_find(
    const struct prof_row_store *store, uint32_t slot)
{
    if (slot == 0 || slot > store->slot_count || store->bytes == NULL)
        return NULL;
    /* Pairs with the release of whoever made the table: it is whole. */
    uint64_t place =
        atomic_load_explicit(&store->places[slot - 1], memory_order_acquire);
    if (place == 0 || place % PROF_ROW_STORE_ALIGN != 0 ||
        place > store->size_bytes ||
        store->size_bytes - place < sizeof(struct prof_row_table))
        return NULL;
    const void *at = store->bytes + place;
    const struct prof_row_table *table = at;
    return prof_row_table_bytes(table) <= store->size_bytes - place ? table
                                                                    : NULL;
}

#endif
