/* Handing tables of rows to one target. */
#include "profiler/collector/slots.h"

#include <string.h>

struct waiting {
    uint64_t start, identity;
    uint32_t slot;
};

void prof_slots_init(struct prof_slots *slots)
{
    *slots =
        (struct prof_slots){.waiting = {.row_bytes = sizeof(struct waiting)}};
}

void prof_slots_fini(struct prof_slots *slots)
{
    table_fini(&slots->waiting);
}

/* Whether there are new ones. */
static bool take_posts(struct prof_slots *slots, const struct wire_ring *ring)
{
    /* Pairs with the release in prof_tables_post(): the entries are whole. */
    uint32_t count =
        atomic_load_explicit(&ring->header->slot_count, memory_order_acquire);
    if (count > WIRE_SLOT_COUNT)
        count = WIRE_SLOT_COUNT;
    bool is_new = slots->seen < count;
    for (; slots->seen < count; slots->seen++) {
        const volatile struct wire_slot_module *post =
            &ring->slots->modules[slots->seen];
        struct waiting added = {
            .start = post->start,
            .identity = post->identity,
            .slot = slots->seen};
        (void)table_add(&slots->waiting, &added);
    }
    return is_new;
}

/* The table of what was posted; 0 while it is unknown or there is none. */
static uint64_t place_of(
    const struct waiting *wanted, const struct prof_address_space *space,
    const struct prof_tables *tables)
{
    const struct prof_space_mapping *at =
        prof_address_space_find(space, wanted->start, UINT64_MAX - 1);
    if (at == NULL)
        return 0;
    const struct prof_module *module =
        prof_profile_module(space->profile, at->module);
    bool is_same =
        module->build_id_bytes >= sizeof wanted->identity &&
        memcmp(module->build_id, &wanted->identity, sizeof wanted->identity) ==
            0;
    return is_same ? prof_tables_place(tables, at->module) : 0;
}

void prof_slots_serve(
    struct prof_slots *slots, const struct wire_ring *ring,
    const struct prof_address_space *space, const struct prof_tables *tables)
{
    uint32_t table_count = prof_tables_made(tables);
    if (!take_posts(slots, ring) && slots->table_count == table_count &&
        slots->space_generation == space->generation)
        return;
    slots->table_count = table_count;
    slots->space_generation = space->generation;
    struct waiting *rows = slots->waiting.rows;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < slots->waiting.count; i++) {
        uint64_t place = place_of(&rows[i], space, tables);
        if (place == 0)
            rows[kept++] = rows[i];
        else
            /* Pairs with the acquire in prof_row_store_find(). */
            atomic_store_explicit(
                &ring->slots->places[rows[i].slot], place,
                memory_order_release);
    }
    slots->waiting.count = kept;
}
