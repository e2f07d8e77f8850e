/* The executable mappings of one process while records are read. */
#include "profiler/recording/perf_space.h"

#include <stdlib.h>
#include <string.h>

void prof_perf_space_fini(struct prof_perf_space *space)
{
    free(space->areas);
    *space = (struct prof_perf_space){0};
}

static void end_mapping(
    struct prof_profile *profile, uint32_t mapping, uint64_t time_ns)
{
    if (mapping != PROF_NONE)
        prof_profile_edit_mapping(profile, mapping)->to_ns = time_ns;
}

static uint32_t begin_mapping(
    struct prof_profile *profile, uint32_t process,
    const struct prof_perf_area *area, uint64_t time_ns)
{
    if (process == PROF_NONE)
        return PROF_NONE;
    struct prof_mapping row = {
        .process = process,
        .module = area->module,
        .start = area->start,
        .end = area->end,
        .offset = area->offset,
        .from_ns = time_ns,
        .to_ns = UINT64_MAX};
    return prof_profile_add_mapping(profile, &row);
}

void prof_perf_space_clear(
    struct prof_perf_space *space, struct prof_profile *profile,
    uint64_t time_ns)
{
    for (uint32_t i = 0; i < space->count; i++)
        end_mapping(profile, space->areas[i].mapping, time_ns);
    prof_perf_space_fini(space);
}

void prof_perf_space_exec(
    struct prof_perf_space *space, struct prof_profile *profile,
    uint64_t time_ns)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < space->count; i++) {
        struct prof_perf_area area = space->areas[i];
        end_mapping(profile, area.mapping, time_ns);
        if (area.is_stale)
            continue;
        area.mapping = PROF_NONE;
        area.is_stale = true;
        space->areas[kept++] = area;
    }
    space->count = kept;
}

/* The first area that ends above the address. */
static uint32_t lower_bound(
    const struct prof_perf_space *space, uint64_t address)
{
    uint32_t low = 0, high = space->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (space->areas[middle].end <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Have room for two more: a mapping within another leaves two remainders. */
static bool reserve(struct prof_perf_space *space)
{
    if (space->capacity - space->count >= 2)
        return true;
    uint32_t capacity = space->capacity ? space->capacity * 2 : 32;
    struct prof_perf_area *areas =
        realloc(space->areas, capacity * sizeof *areas);
    if (areas == NULL)
        return false;
    space->areas = areas;
    space->capacity = capacity;
    return true;
}

/* Replace `remove` areas at `at` by one. */
static void splice(
    struct prof_perf_space *space, uint32_t at, uint32_t remove,
    const struct prof_perf_area *area)
{
    memmove(
        space->areas + at + 1, space->areas + at + remove,
        (space->count - at - remove) * sizeof *area);
    space->areas[at] = *area;
    space->count += 1 - remove;
}

/*
 * A row of the profile has one range and one time: where a part of an area is
 * replaced, its row ends, and what is left of it is inherited anew.
 */
static struct prof_perf_area remaining(
    struct prof_profile *profile, const struct prof_perf_area *area,
    uint64_t start, uint64_t end, uint64_t time_ns)
{
    end_mapping(profile, area->mapping, time_ns);
    return (struct prof_perf_area){
        .start = start,
        .end = end,
        .offset = area->offset + (start - area->start),
        .module = area->module,
        .mapping = PROF_NONE,
        .is_stale = area->is_stale};
}

bool prof_perf_space_map(
    struct prof_perf_space *space, struct prof_profile *profile,
    uint32_t process, const struct prof_perf_area *wanted, uint64_t time_ns)
{
    if (wanted->start >= wanted->end || space->count + 2 > PERF_SPACE_MAX)
        return true;
    if (!reserve(space))
        return false;

    struct prof_perf_area area = *wanted;
    area.mapping = begin_mapping(profile, process, &area, time_ns);
    uint32_t at = lower_bound(space, area.start);
    if (at < space->count && space->areas[at].start < area.start) {
        struct prof_perf_area old = space->areas[at];
        struct prof_perf_area head =
            remaining(profile, &old, old.start, area.start, time_ns);
        splice(space, at, 1, &head);
        at++;
        if (old.end > area.end) {
            struct prof_perf_area tail =
                remaining(profile, &old, area.end, old.end, time_ns);
            splice(space, at, 0, &tail);
        }
    }
    uint32_t covered = 0;
    while (at + covered < space->count &&
           space->areas[at + covered].end <= area.end) {
        end_mapping(profile, space->areas[at + covered].mapping, time_ns);
        covered++;
    }
    if (at + covered < space->count &&
        space->areas[at + covered].start < area.end) {
        struct prof_perf_area *last = &space->areas[at + covered];
        *last = remaining(profile, last, area.end, last->end, time_ns);
    }
    splice(space, at, covered, &area);
    return true;
}

bool prof_perf_space_copy(
    struct prof_perf_space *space, const struct prof_perf_space *parent)
{
    struct prof_perf_area *areas = malloc((parent->count + 2) * sizeof *areas);
    if (areas == NULL)
        return false;
    for (uint32_t i = 0; i < parent->count; i++) {
        areas[i] = parent->areas[i];
        areas[i].mapping = PROF_NONE;
    }
    free(space->areas);
    *space = (struct prof_perf_space){
        .areas = areas, .count = parent->count, .capacity = parent->count + 2};
    return true;
}

const struct prof_perf_area *prof_perf_space_find(
    struct prof_perf_space *space, struct prof_profile *profile,
    uint32_t process, uint64_t address, uint64_t from_ns)
{
    uint32_t at = lower_bound(space, address);
    if (at == space->count || space->areas[at].start > address)
        return NULL;
    struct prof_perf_area *area = &space->areas[at];
    if (area->mapping == PROF_NONE)
        area->mapping = begin_mapping(profile, process, area, from_ns);
    return area;
}
