/*
 * Rows already found, by pc: one table per process, shared by all threads.
 *
 * An entry is one atomic word, so a reader sees a whole entry or none, and
 * writers need no order among themselves:
 *
 *     bits 63..32  tag: bits 46..15 of the key
 *     bits 31..0   the row (sig_row.h)
 *
 * The key is the address behind the one that was looked up: a return address,
 * or the leaf's pc + 1. Index and tag together determine it, so a hit is
 * exact; an empty entry is 0, and no key has the tag 0. Two neighbours, always
 * in one cache line, may hold a key.
 *
 * Entries go stale when modules come and go; prof_modules_settle() forgets
 * them.
 */
#ifndef PROFILER_UNWIND_SIG_ROW_CACHE_H
#define PROFILER_UNWIND_SIG_ROW_CACHE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/status.h"

#define PROF_ROW_CACHE_ENTRIES 65536

struct prof_row_cache {
    _Alignas(64) _Atomic uint64_t entries[PROF_ROW_CACHE_ENTRIES];
    _Atomic uint32_t is_used; /* else no page of it has been touched */
};

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "entries are read in handlers");

SIGNAL_SAFE static inline uint32_t prof_row_cache_index(uint64_t key)
{
    return (uint32_t)(key << 1 ^ key >> 15) & (PROF_ROW_CACHE_ENTRIES - 1);
}

SIGNAL_SAFE static inline uint32_t prof_row_cache_tag(uint64_t key)
{
    return (uint32_t)(key >> 15);
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
    return entry >> 32 == prof_row_cache_tag(key);
}

/* As prof_row_cache_get(), for the second neighbour. */
SIGNAL_SAFE static inline bool prof_row_cache_get_second(
    const struct prof_row_cache *cache, uint64_t key, uint32_t *row)
{
    uint64_t entry = atomic_load_explicit(
        &cache->entries[prof_row_cache_index(key) ^ 1], memory_order_relaxed);
    *row = (uint32_t)entry;
    return entry >> 32 == prof_row_cache_tag(key);
}

/* Whether nothing was ever stored: then there is nothing to forget. */
SIGNAL_SAFE static inline bool prof_row_cache_is_empty(
    const struct prof_row_cache *cache)
{
    return atomic_load_explicit(&cache->is_used, memory_order_relaxed) == 0;
}

/* Store into the first neighbour; what was there moves to the second. */
SIGNAL_SAFE static inline void prof_row_cache_put(
    struct prof_row_cache *cache, uint64_t key, uint32_t row)
{
    uint32_t index = prof_row_cache_index(key);
    uint64_t entry = (uint64_t)prof_row_cache_tag(key) << 32 | row;
    if (prof_row_cache_is_empty(cache))
        atomic_store_explicit(&cache->is_used, 1, memory_order_relaxed);
    uint64_t old = atomic_exchange_explicit(
        &cache->entries[index], entry, memory_order_relaxed);
    if (old != 0 && old >> 32 != entry >> 32)
        atomic_store_explicit(
            &cache->entries[index ^ 1], old, memory_order_relaxed);
}

/* The key of the entry at `index`. */
SIGNAL_SAFE static inline uint64_t prof_row_cache_key(
    uint32_t index, uint64_t entry)
{
    uint64_t tag = entry >> 32;
    return tag << 15 | ((index >> 1 ^ tag >> 1) & 0x7fff);
}

#endif
