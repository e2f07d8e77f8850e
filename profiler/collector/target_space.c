/* What stood at the addresses of a target. */
#include "profiler/collector/target_space.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/clock.h"
#include "profiler/collector/target_model.h"
#include "profiler/collector/target_records.h"

/* After a reading of the maps that explained nothing. */
enum { FRUITLESS_SCAN_NS = 1000000000 };

/*
 * The same where no module is announced that comes or goes, as in a process
 * that an agent was brought into: one part in so many of a CPU for readings,
 * which are soon, for the module may be gone in some ms.
 */
enum { SCAN_SHARE = 100, CHANGING_NS = 1000000000 };

static void apply_module(
    struct prof_target *target, struct wire_module *module, uint32_t bytes)
{
    uint32_t path_room = bytes - (uint32_t)offsetof(struct wire_module, path);
    if (bytes <= offsetof(struct wire_module, path) ||
        memchr(module->path, '\0', path_room) == NULL ||
        module->build_id_bytes > WIRE_BUILD_ID_BYTES ||
        module->end <= module->start) {
        target->malformed++;
        return;
    }
    if (module->record.type == WIRE_UNMAPPED) {
        prof_address_space_remove(
            &target->space, module->start, module->end,
            prof_limits_time(&target->limits, module->record.time_ns));
        return;
    }
    /* Not even its name is kept. */
    if (target->space.mappings.count >= PROF_LIMIT_MAPPINGS) {
        target->malformed++;
        return;
    }
    struct prof_module row = {
        .kind = PROF_MODULE_FILE,
        .path = prof_profile_string(target->common->profile, module->path),
        .build_id_bytes = (uint8_t)module->build_id_bytes};
    memcpy(row.build_id, module->build_id, module->build_id_bytes);
    prof_address_space_add(
        &target->space, module->start, module->end, module->offset, &row);
}

void prof_target_apply_modules(struct prof_target *target, uint32_t at)
{
    _Alignas(8) unsigned char record[PROF_RECORD_ROOM];
    uint32_t bytes;
    while ((bytes = prof_target_record(target, &at, record)) > 0) {
        uint16_t type = ((struct wire_record *)(void *)record)->type;
        if (type == WIRE_MODULE || type == WIRE_UNMAPPED)
            apply_module(target, (void *)record, bytes);
        else if (type != WIRE_SAMPLE && type != WIRE_ENDED && type != WIRE_SPAN)
            target->malformed++;
    }
}

/* Read the maps, then what the ring has got meanwhile: see the header. */
static void refresh(struct prof_target *target)
{
    target->is_scanned = true;
    char *maps = prof_address_space_read(&target->space);
    if (maps == NULL)
        return;
    uint64_t now_ns = clock_now_ns(CLOCK_MONOTONIC);
    uint32_t before = target->records.count;
    (void)prof_target_take(target);
    prof_target_apply_modules(target, before);
    prof_address_space_apply(&target->space, maps, now_ns);
    free(maps);
}

/* What stood at `pc`; the maps are read anew when nothing known did. */
static const struct prof_space_mapping *find_mapping(
    void *owner, uint64_t pc, uint64_t when_ns)
{
    struct prof_target *target = owner;
    const struct prof_space_mapping *found =
        prof_address_space_find(&target->space, pc, when_ns);
    if (found == NULL && target->injected != NULL)
        target->changing_until_ns = when_ns + CHANGING_NS;
    if (found != NULL || target->is_scanned || when_ns < target->next_scan_ns)
        return found;
    uint64_t cost_ns = clock_now_ns(CLOCK_THREAD_CPUTIME_ID);
    refresh(target);
    cost_ns = clock_now_ns(CLOCK_THREAD_CPUTIME_ID) - cost_ns;
    found = prof_address_space_find(&target->space, pc, when_ns);
    /* An address that nobody explains must not cost a reading each drain. */
    if (found == NULL)
        target->next_scan_ns =
            when_ns + (target->injected != NULL ? cost_ns * SCAN_SHARE
                                                : FRUITLESS_SCAN_NS);
    return found;
}

uint32_t prof_target_stack(
    struct prof_target *target, const uint64_t *words, uint32_t count,
    uint64_t when_ns)
{
    const struct prof_frame_finder finder = {
        .space = &target->space, .find = find_mapping, .owner = target};
    return prof_frame_cache_stack(
        &target->frames, &finder, words, count, when_ns);
}
