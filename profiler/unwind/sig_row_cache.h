/*
 * Rows already found, by pc: one table per process, shared by all threads.
 *
 * A row holds for a stretch of code, and so does its entry, as far as it lies
 * in one granule of 32 bytes: no two samples have the same leaf, but most fall
 * into a stretch that was looked up before, and the entries of a program's
 * whole working set fit into a few pages.
 *
 * An entry is one atomic word, so a reader sees a whole entry or none, and
 * writers need no order among themselves:
 *
 *     bits 63..37  tag: bits 46..20 of the key, plus 1
 *     bits 36..32  the first key of the stretch, within its granule
 *     bits 31..5   the row (sig_row.h)
 *     bits 4..0    how many keys follow the first
 *
 * The key is the address behind the one that was looked up: a return address,
 * or the leaf's pc + 1. Index and tag together determine its granule, so a hit
 * is exact; an empty entry is 0, and no key has the tag 0. (The 1 MiB on top of
 * the address space have no tag: they are looked up each time.) A granule has
 * two neighbours, always in one cache line: each half of it is looked for in
 * one of them first, so that small functions side by side have both a place.
 *
 * Entries go stale when modules come and go; prof_modules_settle() forgets
 * them.
 *
 * In cc1plus at 10 kHz most of a walk waits for entries: seven or eight of 28
 * frames are new, and each is a miss of the processor's caches and often of its
 * TLB. Tried there, with tables of rows, against this: granules of 64 bytes
 * gain nothing, nor do both neighbours looked at in the walker itself; fetching
 * ahead by the first 64 words of the stack gains 6 %, by 160 it loses as much;
 * a quarter of the entries gains 9 %, but twice as many rows are looked for
 * behind the first place; one huge page (sig_engine.h) gains 12 to 15 %.
 */
#ifndef PROFILER_UNWIND_SIG_ROW_CACHE_H
#define PROFILER_UNWIND_SIG_ROW_CACHE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "profiler/unwind/sig_row.h"

#define PROF_ROW_CACHE_ENTRIES 65536
#define PROF_ROW_GRANULE       32u /* bytes of code */

struct prof_row_cache {
    _Alignas(64) _Atomic uint64_t entries[PROF_ROW_CACHE_ENTRIES];
    _Atomic uint32_t is_used; /* else no page of it has been touched */
};

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "entries are read in handlers");

SIGNAL_SAFE static inline uint32_t prof_row_cache_index(uint64_t key)
{
    return (uint32_t)(key >> 4 ^ key >> 20 << 1) & (PROF_ROW_CACHE_ENTRIES - 1);
}

SIGNAL_SAFE static inline uint64_t prof_row_cache_tag(uint64_t key)
{
    return (key >> 20) + 1;
}

SIGNAL_SAFE static inline bool prof_row_entry_holds(
    uint64_t entry, uint64_t key)
{
    uint64_t first = entry >> 32 & (PROF_ROW_GRANULE - 1);
    uint64_t more = entry & (PROF_ROW_GRANULE - 1);
    return entry >> 37 == prof_row_cache_tag(key) &&
           (key & (PROF_ROW_GRANULE - 1)) - first <= more;
}

SIGNAL_SAFE static inline void prof_row_cache_prefetch(
    const struct prof_row_cache *cache, uint64_t key)
{
    __builtin_prefetch(
        (const void *)&cache->entries[prof_row_cache_index(key)]);
}

/* False when the first of the two neighbours does not hold `key`. */
SIGNAL_SAFE static inline bool prof_row_cache_get(
    const struct prof_row_cache *cache, uint64_t key, uint32_t *row)
{
    uint64_t entry = atomic_load_explicit(
        &cache->entries[prof_row_cache_index(key)], memory_order_relaxed);
    *row = (uint32_t)entry;
    return prof_row_entry_holds(entry, key);
}

/* As prof_row_cache_get(), for the second neighbour. */
SIGNAL_SAFE static inline bool prof_row_cache_get_second(
    const struct prof_row_cache *cache, uint64_t key, uint32_t *row)
{
    uint64_t entry = atomic_load_explicit(
        &cache->entries[prof_row_cache_index(key) ^ 1], memory_order_relaxed);
    *row = (uint32_t)entry;
    return prof_row_entry_holds(entry, key);
}

/* Whether nothing was ever stored: then there is nothing to forget. */
SIGNAL_SAFE static inline bool prof_row_cache_is_empty(
    const struct prof_row_cache *cache)
{
    return atomic_load_explicit(&cache->is_used, memory_order_relaxed) == 0;
}

/*
 * Store into the first neighbour; what was there moves to the second. Where
 * both were empty and the row holds for the other half as well, into both.
 *
 *   first, end  keys that have the row, `key` among them
 */
SIGNAL_SAFE static inline void prof_row_cache_put(
    struct prof_row_cache *cache, uint64_t key, uint64_t first, uint64_t end,
    uint32_t row)
{
    uint64_t granule = key & ~(uint64_t)(PROF_ROW_GRANULE - 1);
    if (first < granule)
        first = granule;
    if (end > granule + PROF_ROW_GRANULE)
        end = granule + PROF_ROW_GRANULE;
    uint32_t index = prof_row_cache_index(key);
    uint64_t entry = prof_row_cache_tag(key) << 37 | (first - granule) << 32 |
                     row | (end - 1 - first);
    if (prof_row_cache_is_empty(cache))
        atomic_store_explicit(&cache->is_used, 1, memory_order_relaxed);
    uint64_t old = atomic_exchange_explicit(
        &cache->entries[index], entry, memory_order_relaxed);
    _Atomic uint64_t *neighbour = &cache->entries[index ^ 1];
    bool is_of_both =
        prof_row_entry_holds(entry, key ^ PROF_ROW_GRANULE / 2) &&
        atomic_load_explicit(neighbour, memory_order_relaxed) == 0;
    if (old != 0 && (old ^ entry) >> 32 != 0)
        atomic_store_explicit(neighbour, old, memory_order_relaxed);
    else if (is_of_both)
        atomic_store_explicit(neighbour, entry, memory_order_relaxed);
}

/* The first key of the granule of the entry at `index`. */
SIGNAL_SAFE static inline uint64_t prof_row_cache_granule(
    uint32_t index, uint64_t entry)
{
    uint64_t above = (entry >> 37) - 1;
    uint64_t low = (index >> 1 ^ above) & (PROF_ROW_CACHE_ENTRIES / 2 - 1);
    return (above << 15 | low) * PROF_ROW_GRANULE;
}

#endif
