/*
 * A growable array of equal rows, addressed by dense ids from 0, and an index
 * that finds the id of a row by its content. Not signal-safe.
 */
#ifndef PROFILER_BASE_TABLE_H
#define PROFILER_BASE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TABLE_NONE UINT32_MAX

struct table {
    void *rows;
    uint32_t count, capacity;
    uint32_t row_bytes; /* set by the owner before the first add */
};

/* Append a copy of `row`; TABLE_NONE when out of memory. */
uint32_t table_add(struct table *table, const void *row);

/* Append `count` rows at once; the id of the first, or TABLE_NONE. */
uint32_t table_add_many(struct table *table, const void *rows, uint32_t count);

/* Append a row whose bytes are for the caller to set; valid until the next add.
   NULL when out of memory. */
void *table_add_blank(struct table *table);

/* Row `id`, which must be below the count; valid until the next add. */
void *table_row(const struct table *table, uint32_t id);

void table_fini(struct table *table);

/* Open addressing over ids; the rows stay in the owner's table. */
struct index_slot {
    uint32_t hash, id;
};

struct index {
    struct index_slot *slots;
    uint32_t count, capacity; /* capacity is a power of two, or 0 */
};

/* Whether the row `id` of the owner has the content `key`. */
typedef bool index_equal(const void *owner, uint32_t id, const void *key);

/* The id stored under this content, or TABLE_NONE. */
uint32_t index_find(
    const struct index *index, uint32_t hash, index_equal *equal,
    const void *owner, const void *key);

/* Store an id that index_find() did not find; false when out of memory. */
bool index_add(struct index *index, uint32_t hash, uint32_t id);

void index_fini(struct index *index);

uint32_t hash_bytes(const void *bytes, size_t count);
uint32_t hash_u64(uint64_t value);

#endif
