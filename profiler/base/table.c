/* A growable array of equal rows and an index over its content. */
#include "profiler/base/table.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 16 };

static bool table_reserve(struct table *table, uint32_t more)
{
    if (more <= table->capacity - table->count)
        return true;
    if (more >= TABLE_NONE - table->count)
        return false;

    uint64_t wanted = table->capacity ? table->capacity : FIRST_CAPACITY;
    while (wanted < (uint64_t)table->count + more)
        wanted *= 2;
    if (wanted >= TABLE_NONE)
        wanted = TABLE_NONE - 1;

    void *rows = realloc(table->rows, wanted * table->row_bytes);
    if (rows == NULL)
        return false;
    table->rows = rows;
    table->capacity = (uint32_t)wanted;
    return true;
}

uint32_t table_add_many(struct table *table, const void *rows, uint32_t count)
{
    if (!table_reserve(table, count))
        return TABLE_NONE;
    uint32_t first = table->count;
    if (count > 0) {
        memcpy(
            (char *)table->rows + (size_t)first * table->row_bytes, rows,
            (size_t)count * table->row_bytes);
    }
    table->count += count;
    return first;
}

uint32_t table_add(struct table *table, const void *row)
{
    return table_add_many(table, row, 1);
}

void *table_add_blank(struct table *table)
{
    return table_reserve(table, 1) ? table_row(table, table->count++) : NULL;
}

void *table_row(const struct table *table, uint32_t id)
{
    return (char *)table->rows + (size_t)id * table->row_bytes;
}

void table_fini(struct table *table)
{
    free(table->rows);
    *table = (struct table){.row_bytes = table->row_bytes};
}

uint32_t index_find(
    const struct index *index, uint32_t hash, index_equal *equal,
    const void *owner, const void *key)
{
    if (index->capacity == 0)
        return TABLE_NONE;

    uint32_t mask = index->capacity - 1;
    for (uint32_t at = hash & mask;; at = (at + 1) & mask) {
        struct index_slot slot = index->slots[at];
        if (slot.id == TABLE_NONE)
            return TABLE_NONE;
        if (slot.hash == hash && equal(owner, slot.id, key))
            return slot.id;
    }
}

static void index_place(struct index *index, struct index_slot slot)
{
    uint32_t mask = index->capacity - 1;
    uint32_t at = slot.hash & mask;
    while (index->slots[at].id != TABLE_NONE)
        at = (at + 1) & mask;
    index->slots[at] = slot;
}

static bool index_grow(struct index *index)
{
    uint32_t capacity = index->capacity ? index->capacity * 2 : 64;
    if (capacity == 0)
        return false;
    struct index_slot *slots = malloc((size_t)capacity * sizeof *slots);
    if (slots == NULL)
        return false;
    memset(slots, 0xff, (size_t)capacity * sizeof *slots);

    struct index old = *index;
    *index = (struct index){
        .slots = slots, .count = old.count, .capacity = capacity};
    for (uint32_t at = 0; at < old.capacity; at++) {
        if (old.slots[at].id != TABLE_NONE)
            index_place(index, old.slots[at]);
    }
    free(old.slots);
    return true;
}

bool index_add(struct index *index, uint32_t hash, uint32_t id)
{
    /* At most three quarters full: probes stay short, one slot stays free. */
    if (index->count >= index->capacity / 4 * 3 && !index_grow(index))
        return false;
    index_place(index, (struct index_slot){.hash = hash, .id = id});
    index->count++;
    return true;
}

void index_fini(struct index *index)
{
    free(index->slots);
    *index = (struct index){0};
}

/* The finalizer of MurmurHash3: every input bit reaches every output bit. */
static uint64_t mix(uint64_t value)
{
    value ^= value >> 33;
    value *= 0xff51afd7ed558ccdULL;
    value ^= value >> 33;
    value *= 0xc4ceb9fe1a85ec53ULL;
    return value ^ value >> 33;
}

uint32_t hash_u64(uint64_t value)
{
    return (uint32_t)mix(value);
}

uint32_t hash_bytes(const void *bytes, size_t count)
{
    const unsigned char *at = bytes;
    uint64_t hash = count;
    for (; count >= 8; at += 8, count -= 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        hash = mix(hash ^ word);
    }
    uint64_t last = 0;
    memcpy(&last, at, count);
    return (uint32_t)mix(hash ^ last ^ (uint64_t)count << 56);
}
