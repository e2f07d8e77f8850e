/* The code that is mapped in a process; see the header. */
#include "profiler/tap/mapped.h"

#include "profiler/collector/limits.h"

struct line {
    uint64_t start, end, offset, device, inode;
    uint32_t path; /* string of the profile */
};

void prof_tap_mapped_init(
    struct prof_tap_mapped *mapped, struct prof_profile *profile)
{
    *mapped = (struct prof_tap_mapped){
        .profile = profile, .lines.row_bytes = sizeof(struct line)};
}

void prof_tap_mapped_fini(struct prof_tap_mapped *mapped)
{
    table_fini(&mapped->lines);
}

struct prof_maps_line prof_tap_mapped_line(
    const struct prof_tap_mapped *mapped, uint32_t index)
{
    const struct line *line = table_row(&mapped->lines, index);
    return (struct prof_maps_line){
        .start = line->start,
        .end = line->end,
        .offset = line->offset,
        .device = line->device,
        .inode = line->inode,
        .permissions = "r-xp",
        .path = prof_profile_text(mapped->profile, line->path)};
}

void prof_tap_mapped_note(
    struct prof_tap_mapped *mapped, const struct prof_maps_line *line)
{
    struct line *rows = mapped->lines.rows;
    struct line added = {
        .start = line->start,
        .end = line->end,
        .offset = line->offset,
        .device = line->device,
        .inode = line->inode,
        .path = prof_profile_string(mapped->profile, line->path)};
    uint32_t kept = 0;
    for (uint32_t i = 0; i < mapped->lines.count; i++) {
        if (rows[i].start >= line->end || rows[i].end <= line->start)
            rows[kept++] = rows[i];
    }
    mapped->lines.count = kept;
    if (kept < PROF_LIMIT_MAPPINGS)
        (void)table_add(&mapped->lines, &added);
}

void prof_tap_mapped_inherit(
    struct prof_tap_mapped *mapped, const struct prof_tap_mapped *parent)
{
    if (parent->lines.count > 0)
        (void)table_add_many(
            &mapped->lines, parent->lines.rows, parent->lines.count);
}
