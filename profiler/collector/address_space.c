/* Which file's bytes stood at an address of a process, and when. */
#include "profiler/collector/address_space.h"

#include <string.h>

#include "profiler/collector/lifted.h"
#include "profiler/collector/limits.h"
#include "profiler/collector/mapped_module.h"
#include "profiler/collector/maps.h"
#include "profiler/model/module_path.h"

void prof_address_space_init(
    struct prof_address_space *space, struct prof_profile *profile,
    struct prof_build_ids *build_ids, uint32_t process, uint32_t pid)
{
    *space = (struct prof_address_space){
        .profile = profile,
        .build_ids = build_ids,
        .process = process,
        .pid = pid,
        .mappings = {.row_bytes = sizeof(struct prof_space_mapping)}};
}

void prof_address_space_fini(struct prof_address_space *space)
{
    table_fini(&space->mappings);
}

static struct prof_space_mapping *mapping_at(
    const struct prof_address_space *space, uint32_t index)
{
    return table_row(&space->mappings, index);
}

/* The number of mappings that start at or before `address`. */
static uint32_t count_not_after(
    const struct prof_address_space *space, uint64_t address)
{
    uint32_t low = 0, high = space->mappings.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (mapping_at(space, middle)->start <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct prof_space_mapping *prof_address_space_find(
    const struct prof_address_space *space, uint64_t pc, uint64_t when_ns)
{
    for (uint32_t i = count_not_after(space, pc); i-- > 0;) {
        const struct prof_space_mapping *at = mapping_at(space, i);
        if (pc < at->end && when_ns >= at->from_ns && when_ns < at->to_ns)
            return at;
    }
    return NULL;
}

static void end_mapping(
    struct prof_address_space *space, uint32_t index, uint64_t when_ns)
{
    struct prof_space_mapping *gone = mapping_at(space, index);
    if (gone->to_ns != UINT64_MAX)
        return;
    gone->to_ns = when_ns;
    if (gone->mapping != PROF_NONE)
        prof_profile_edit_mapping(space->profile, gone->mapping)->to_ns =
            when_ns;
    space->generation++;
}

void prof_address_space_remove(
    struct prof_address_space *space, uint64_t start, uint64_t end,
    uint64_t when_ns)
{
    for (uint32_t i = 0; i < space->mappings.count; i++) {
        const struct prof_space_mapping *at = mapping_at(space, i);
        if (at->start < end && at->end > start)
            end_mapping(space, i, when_ns);
    }
}

/* When whatever stood in [start, end) last had ended; 0: nothing did. */
static uint64_t last_end_ns(
    const struct prof_address_space *space, uint64_t start, uint64_t end)
{
    uint64_t last = 0;
    for (uint32_t i = 0; i < space->mappings.count; i++) {
        const struct prof_space_mapping *at = mapping_at(space, i);
        if (at->start < end && at->end > start && at->to_ns > last)
            last = at->to_ns;
    }
    return last == UINT64_MAX ? 0 : last;
}

static void insert_mapping(
    struct prof_address_space *space, const struct prof_space_mapping *added)
{
    uint32_t at = count_not_after(space, added->start);
    if (table_add(&space->mappings, added) == TABLE_NONE)
        return;
    struct prof_space_mapping *rows = space->mappings.rows;
    memmove(
        rows + at + 1, rows + at,
        (space->mappings.count - 1 - at) * sizeof *rows);
    rows[at] = *added;
    space->generation++;
}

/*
 * What a loop of dlopen and dlclose does: the same comes back to where it was,
 * and nothing else stood there meanwhile. Then it never went.
 */
static bool resume_mapping(
    struct prof_address_space *space, uint64_t start, uint64_t end,
    uint64_t offset, uint32_t module)
{
    uint64_t last_ns = last_end_ns(space, start, end);
    for (uint32_t i = count_not_after(space, start); i-- > 0;) {
        struct prof_space_mapping *at = mapping_at(space, i);
        if (at->start != start)
            break;
        if (at->end != end || at->offset != offset || at->module != module ||
            at->to_ns != last_ns || at->mapping == PROF_NONE)
            continue;
        at->to_ns = UINT64_MAX;
        prof_profile_edit_mapping(space->profile, at->mapping)->to_ns =
            UINT64_MAX;
        space->generation++;
        return true;
    }
    return false;
}

static void begin_mapping(
    struct prof_address_space *space, uint64_t start, uint64_t end,
    uint64_t offset, uint32_t module)
{
    if (resume_mapping(space, start, end, offset, module) ||
        space->mappings.count >= PROF_LIMIT_MAPPINGS)
        return;
    struct prof_mapping row = {
        .process = space->process,
        .module = module,
        .start = start,
        .end = end,
        .offset = offset,
        .from_ns = last_end_ns(space, start, end),
        .to_ns = UINT64_MAX};
    struct prof_space_mapping added = {
        .start = start,
        .end = end,
        .offset = offset,
        .from_ns = row.from_ns,
        .to_ns = UINT64_MAX,
        .module = module,
        .mapping = prof_profile_add_mapping(space->profile, &row)};
    insert_mapping(space, &added);
}

void prof_address_space_add(
    struct prof_address_space *space, uint64_t start, uint64_t end,
    uint64_t offset, const struct prof_module *module)
{
    const struct prof_space_mapping *known =
        prof_address_space_find(space, start, UINT64_MAX - 1);
    uint32_t id = known == NULL
                      ? prof_profile_add_module(space->profile, module)
                      : PROF_NONE;
    if (id != PROF_NONE)
        begin_mapping(space, start, end, offset, id);
}

/* ---- /proc/PID/maps ---- */

/* The offset under which a pc in this line is kept: see enum prof_module_kind.
 */
static uint64_t offset_of(
    const struct prof_address_space *space, const struct prof_maps_line *line,
    uint32_t module)
{
    switch (prof_profile_module(space->profile, module)->kind) {
    case PROF_MODULE_ANONYMOUS:
        return line->start;
    case PROF_MODULE_VDSO:
        return 0;
    default:
        return line->offset;
    }
}

/* Whether `known` is what `line` says, as far as the line tells it cheaply. */
static bool is_same(
    const struct prof_address_space *space,
    const struct prof_space_mapping *known, const struct prof_maps_line *line)
{
    return known != NULL && known->start == line->start &&
           known->end == line->end &&
           known->offset == offset_of(space, line, known->module);
}

void prof_address_space_map(
    struct prof_address_space *space, const struct prof_maps_line *line,
    uint64_t now_ns)
{
    const struct prof_space_mapping *known =
        prof_address_space_find(space, line->start, now_ns);
    uint32_t module =
        prof_mapped_module(space->profile, space->build_ids, space->pid, line);
    if (module == PROF_NONE ||
        (is_same(space, known, line) && known->module == module))
        return;
    prof_address_space_remove(space, line->start, line->end, now_ns);
    begin_mapping(
        space, line->start, line->end, offset_of(space, line, module), module);
}

/* What stood at `address` until now, or still does; NULL: no file. */
static const struct prof_space_mapping *file_at(
    const struct prof_address_space *space, uint64_t address, uint64_t now_ns)
{
    for (uint32_t i = count_not_after(space, address); i-- > 0;) {
        const struct prof_space_mapping *at = mapping_at(space, i);
        if (address < at->end && at->to_ns >= now_ns &&
            prof_profile_module(space->profile, at->module)->kind ==
                PROF_MODULE_FILE)
            return at;
    }
    return NULL;
}

/*
 * Code in memory without a file, which may have been lifted out of one: the one
 * that stood there before, or that of the line above. `file` is that line, or
 * one above it. Where the bytes prove it, the line becomes the file's again.
 */
static void give_file_back(
    const struct prof_address_space *space, struct prof_maps_line *line,
    const struct prof_maps_line *file, uint64_t now_ns)
{
    if (file->end == 0 || !prof_maps_is_memory(space->pid, line))
        return;
    uint64_t offset = file->offset + (line->start - file->start);
    const struct prof_space_mapping *before =
        file_at(space, line->start, now_ns);
    if (before != NULL)
        offset = before->offset + (line->start - before->start);
    else if (file->end != line->start)
        return;
    if (!prof_lifted_is_from(space->pid, line, file, offset))
        return;
    line->offset = offset;
    line->device = file->device;
    line->inode = file->inode;
    line->path = file->path;
}

char *prof_address_space_read(const struct prof_address_space *space)
{
    return prof_maps_read(space->pid);
}

void prof_address_space_apply(
    struct prof_address_space *space, char *maps, uint64_t now_ns)
{
    char *rest = maps;
    struct prof_maps_line line, file = {0};
    for (char *text; (text = strsep(&rest, "\n")) != NULL;) {
        if (!prof_maps_parse(text, &line))
            continue;
        if (prof_maps_is_code(&line)) {
            give_file_back(space, &line, &file, now_ns);
            prof_address_space_map(space, &line, now_ns);
        }
        if (line.path[0] == '/')
            file = line;
    }
}

void prof_address_space_copy(
    struct prof_address_space *space, const struct prof_address_space *from,
    uint64_t when_ns)
{
    for (uint32_t i = 0; i < from->mappings.count; i++) {
        struct prof_space_mapping at = *mapping_at(from, i);
        struct prof_module module =
            *prof_profile_module(space->profile, at.module);
        /* Memory without a file is known by its process. */
        if (module.kind == PROF_MODULE_ANONYMOUS)
            module.path =
                prof_module_path_of_memory(space->profile, space->pid);
        if (when_ns >= at.from_ns && when_ns < at.to_ns)
            prof_address_space_add(space, at.start, at.end, at.offset, &module);
    }
}

/* ---- frames ---- */

static const char own_library[] = "/libwatchfire.so";

static bool is_own_module(const struct prof_profile *profile, uint32_t module)
{
    const char *path =
        prof_profile_text(profile, prof_profile_module(profile, module)->path);
    size_t length = strlen(path), suffix = sizeof own_library - 1;
    return length >= suffix && strcmp(path + length - suffix, own_library) == 0;
}

/* What an address in no known module is shown as. */
static uint32_t unknown_frame(struct prof_profile *profile, uint64_t pc)
{
    struct prof_module unknown = {
        .kind = PROF_MODULE_ANONYMOUS,
        .path = prof_profile_string(profile, "unknown")};
    prof_profile_add_loss(profile, PROF_LOSS_UNMAPPED, 1);
    return prof_profile_add_native_frame(
        profile, prof_profile_add_module(profile, &unknown), pc);
}

uint32_t prof_address_space_frame(
    struct prof_address_space *space, const struct prof_space_mapping *at,
    uint64_t pc)
{
    if (at == NULL)
        return unknown_frame(space->profile, pc);
    if (is_own_module(space->profile, at->module))
        return PROF_NONE;
    return prof_profile_add_native_frame(
        space->profile, at->module, pc - at->start + at->offset);
}
