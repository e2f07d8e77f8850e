/* The full tier of one module: from addresses to compilation units. */
#include "symbolizer/debug_info.h"

#include <stdlib.h>

#include <dwarf.h>

#include "symbolizer/debug_file.h"
#include "symbolizer/inflate.h"
#include "symbolizer/spans.h"
#include "symbolizer/unit_header.h"

/* Ranges of all units of a file; the largest programs known have half a
   million. */
enum { RANGE_LIMIT = 1 << 22 };

/* Units tried for one address. */
enum { CANDIDATE_LIMIT = 32 };

struct unit_range {
    uint64_t start, end;
    uint64_t reach; /* the greatest end up to here */
    uint32_t unit;
};

/* ---- opening ---- */

bool sym_debug_info_is_in(const struct sym_image *image)
{
    GElf_Shdr header;
    return sym_image_section(image, ".debug_info", &header) != NULL ||
           sym_image_section(image, ".zdebug_info", &header) != NULL;
}

/* Open the DWARF of `image`, through a copy of its sections if they are
   compressed; which of the two was used goes to `*opened`. */
static enum status open_dwarf(
    const struct sym_image *image, struct sym_image *inflated,
    const struct sym_image **opened, Dwarf **dwarf, struct diag *problem)
{
    *opened = image;
    if (sym_inflate_is_needed(image)) {
        enum status status = sym_inflate(image, inflated, problem);
        if (status != STATUS_OK)
            return status;
        *opened = inflated;
    }
    *dwarf = dwarf_begin_elf((*opened)->elf, DWARF_C_READ, NULL);
    if (*dwarf == NULL)
        return fail(
            problem, STATUS_MALFORMED, "'%s': no readable DWARF: %s",
            image->path, dwarf_errmsg(-1));
    return STATUS_OK;
}

/* A supplement that cannot be read leaves names unknown, not more. */
static enum status open_supplement(
    struct sym_debug_info *info, char *const *dirs, struct diag *problem)
{
    const struct sym_image *opened;
    if (!sym_debug_find_supplement(
            info->image, info->dwarf, dirs, &info->supplement, problem))
        return STATUS_OK;
    enum status status = open_dwarf(
        &info->supplement, &info->inflated_supplement, &opened,
        &info->supplement_dwarf, problem);
    if (status == STATUS_OK)
        dwarf_setalt(info->dwarf, info->supplement_dwarf);
    return status == STATUS_NO_MEMORY ? status : STATUS_OK;
}

/* ---- units ---- */

static enum status add_range(
    struct sym_debug_info *info, uint64_t start, uint64_t end, uint32_t unit)
{
    uint64_t shift = info->context.shift;
    if (start >= end || !sym_image_is_code(info->context.image, start - shift))
        return STATUS_OK;
    struct unit_range range = {.start = start, .end = end, .unit = unit};
    return table_add(&info->ranges, &range) == TABLE_NONE ? STATUS_NO_MEMORY
                                                          : STATUS_OK;
}

/* What the root DIE says; sets `count` to how many ranges it had. */
static enum status add_root_ranges(
    struct sym_debug_info *info, Dwarf_Die *root, uint32_t unit,
    uint32_t *count)
{
    Dwarf_Addr base, start, end;
    ptrdiff_t offset = 0;
    *count = 0;
    while ((offset = dwarf_ranges(root, offset, &base, &start, &end)) > 0) {
        ++*count;
        if (info->ranges.count >= RANGE_LIMIT ||
            !sym_budget_spend(&info->context.budget, SYM_COST_OF_A_RANGE))
            return STATUS_LIMIT;
        uint64_t shift = info->context.shift;
        if (add_range(info, start + shift, end + shift, unit) != STATUS_OK)
            return STATUS_NO_MEMORY;
    }
    return STATUS_OK;
}

/* A root without ranges: read the unit now, and take what it has. */
static enum status add_content_ranges(
    struct sym_debug_info *info, uint32_t id, struct diag *problem)
{
    struct sym_unit *unit = table_row(&info->units, id);
    enum status status = sym_unit_read(unit, &info->context, problem);
    if (status == STATUS_NO_MEMORY)
        return status;

    status = STATUS_OK;
    const struct sym_span *spans = unit->spans.rows;
    for (uint32_t i = 0; status == STATUS_OK && i < unit->spans.count; i++)
        status = add_range(info, spans[i].start, spans[i].end, id);
    const struct sym_line_row *rows = unit->lines.rows.rows;
    for (uint32_t i = 0; status == STATUS_OK && i + 1 < unit->lines.rows.count;
         i++) {
        if (rows[i].file != SYM_NO_FILE)
            status = add_range(info, rows[i].vaddr, rows[i + 1].vaddr, id);
    }
    return status;
}

static enum status add_unit(
    struct sym_debug_info *info, Dwarf_CU *handle, Dwarf_Die *root,
    struct diag *problem)
{
    struct sym_unit unit = {.handle = handle};
    uint32_t id = table_add(&info->units, &unit);
    if (id == TABLE_NONE)
        return STATUS_NO_MEMORY;
    uint32_t count;
    enum status status = add_root_ranges(info, root, id, &count);
    if (status == STATUS_OK && count == 0)
        status = add_content_ranges(info, id, problem);
    return status;
}

/* Bytes of abbreviations up to the one that the unit's root has. */
static uint64_t cost_of_root(
    const struct sym_unit_source *source, const struct sym_unit_header *header)
{
    struct sym_bytes dies = header->dies;
    uint64_t wanted = sym_bytes_uleb(&dies), code;
    struct sym_bytes table = sym_bytes_of(
        source->abbrev.start, source->abbrev.count, header->abbrev_offset);
    const uint8_t *start = table.at;
    while ((code = sym_bytes_uleb(&table)) != 0 && !table.is_bad) {
        (void)sym_bytes_uleb(&table); /* the tag */
        (void)sym_bytes_fixed(&table, 1);
        uint64_t name, form;
        do {
            name = sym_bytes_uleb(&table);
            form = sym_bytes_uleb(&table);
            if (form == DW_FORM_implicit_const)
                (void)sym_bytes_sleb(&table);
        } while ((name != 0 || form != 0) && !table.is_bad);
        if (code == wanted)
            break;
    }
    return (uint64_t)(table.at - start);
}

/*
 * Whether roots can be read at all. libdw reads, and keeps, abbreviations for
 * every unit anew, up to the one it needs; that of a root comes first or
 * nearly so in an honest file.
 */
static bool can_list_units(struct sym_debug_info *info)
{
    const struct sym_unit_source *areas = &info->context.areas;
    struct sym_bytes from =
        sym_bytes_of(areas->info.start, areas->info.count, 0);
    struct sym_unit_header header;
    while (sym_bytes_left(&from) > 0) {
        uint64_t cost = SYM_COST_OF_A_UNIT;
        if (sym_unit_header_read(&header, &from))
            cost += cost_of_root(areas, &header);
        if (!sym_budget_spend(&info->context.budget, cost))
            return false;
    }
    return true;
}

static enum status list_units(struct sym_debug_info *info, struct diag *problem)
{
    if (!can_list_units(info))
        return fail(
            problem, STATUS_LIMIT,
            "'%s': its list of units " SYM_BUDGET_COMPLAINT, info->image->path);
    Dwarf_CU *unit = NULL;
    Dwarf_Half version;
    uint8_t type;
    Dwarf_Die root;
    int more;
    while ((more = dwarf_get_units(
                info->dwarf, unit, &unit, &version, &type, &root, NULL)) == 0) {
        if (type != DW_UT_compile && type != DW_UT_skeleton)
            continue;
        enum status status = add_unit(info, unit, &root, problem);
        if (status == STATUS_LIMIT)
            return fail(
                problem, status,
                "'%s': too many address ranges, or the same over and over",
                info->image->path);
        if (status != STATUS_OK)
            return status;
    }
    if (more < 0)
        return fail(
            problem, STATUS_MALFORMED, "'%s': damaged unit header: %s",
            info->image->path, dwarf_errmsg(-1));
    return STATUS_OK;
}

static int by_start(const void *left, const void *right)
{
    const struct unit_range *a = left, *b = right;
    if (a->start != b->start)
        return a->start < b->start ? -1 : 1;
    /* Lookups go backwards: of equal ones the first of the file comes last. */
    return (a->unit < b->unit) - (a->unit > b->unit);
}

static void sort_ranges(struct sym_debug_info *info)
{
    struct unit_range *rows = info->ranges.rows;
    uint32_t count = info->ranges.count;
    if (count == 0)
        return;
    qsort(rows, count, sizeof *rows, by_start);
    uint64_t reach = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (rows[i].end > reach)
            reach = rows[i].end;
        rows[i].reach = reach;
    }
}

/* Where the runtime file was moved, DWARF still tells its old addresses. */
static bool make_view(
    struct sym_debug_info *info, const struct sym_image *runtime)
{
    uint64_t shift = sym_image_shift(runtime, info->image);
    if (shift == 0)
        return true;
    info->context.shift = shift;
    info->context.image = &info->view;
    info->view.segments.row_bytes = sizeof(struct sym_segment);
    for (uint32_t i = 0; i < runtime->segments.count; i++) {
        struct sym_segment segment =
            *(struct sym_segment *)table_row(&runtime->segments, i);
        segment.vaddr -= shift;
        if (table_add(&info->view.segments, &segment) == TABLE_NONE)
            return false;
    }
    return true;
}

enum status sym_debug_info_open(
    struct sym_debug_info *info, const struct sym_image *image,
    const struct sym_image *runtime, char *const *dirs,
    struct sym_strings *strings, struct diag *problem)
{
    *info = (struct sym_debug_info){
        .image = image,
        .units.row_bytes = sizeof(struct sym_unit),
        .ranges.row_bytes = sizeof(struct unit_range),
        .context.image = runtime};
    sym_die_names_init(&info->context.names, strings);

    const struct sym_image *opened;
    enum status status =
        open_dwarf(image, &info->inflated, &opened, &info->dwarf, problem);
    if (status == STATUS_OK)
        status = open_supplement(info, dirs, problem);
    if (status != STATUS_OK)
        return status;
    info->context.line = sym_image_bytes(opened, ".debug_line");
    info->context.areas = (struct sym_unit_source){
        .info = sym_image_bytes(opened, ".debug_info"),
        .abbrev = sym_image_bytes(opened, ".debug_abbrev"),
        .str = sym_image_bytes(opened, ".debug_str"),
        .line_str = sym_image_bytes(opened, ".debug_line_str"),
        .str_offsets = sym_image_bytes(opened, ".debug_str_offsets"),
        .bases.addr = sym_image_bytes(opened, ".debug_addr"),
        .bases.ranges = sym_image_bytes(opened, ".debug_ranges"),
        .bases.rnglists = sym_image_bytes(opened, ".debug_rnglists"),
        .budget = &info->context.budget,
        .dwarf = info->dwarf};
    info->context.budget = sym_budget_begin();
    sym_budget_add(&info->context.budget, opened->bytes_count);
    info->context.split = (struct sym_split_files){
        .image = image, .runtime = runtime, .budget = &info->context.budget};

    if (!make_view(info, runtime))
        return STATUS_NO_MEMORY;
    status = list_units(info, problem);
    sort_ranges(info);
    return status == STATUS_NO_MEMORY ? status : STATUS_OK;
}

/* ---- finding ---- */

/* How many ranges start at or before `vaddr`. */
static uint32_t ranges_up_to(const struct sym_debug_info *info, uint64_t vaddr)
{
    const struct unit_range *rows = info->ranges.rows;
    uint32_t low = 0, high = info->ranges.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (rows[middle].start <= vaddr)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Ask one unit. False: it knows nothing. */
static bool ask_unit(
    struct sym_debug_info *info, struct sym_unit *unit, uint64_t vaddr,
    struct sym_place *place, enum status *status, struct diag *problem)
{
    if (!unit->is_read &&
        sym_unit_read(unit, &info->context, problem) == STATUS_NO_MEMORY) {
        *status = STATUS_NO_MEMORY;
        return false;
    }
    *place =
        (struct sym_place){.unit = unit, .node = sym_unit_find(unit, vaddr)};
    return place->node != SYM_NO_NODE ||
           sym_lines_find(&unit->lines, vaddr) != NULL;
}

bool sym_debug_info_find(
    struct sym_debug_info *info, uint64_t vaddr, struct sym_place *place,
    enum status *status, struct diag *problem)
{
    const struct unit_range *rows = info->ranges.rows;
    bool is_found = false;
    int tries = CANDIDATE_LIMIT;
    *status = STATUS_OK;
    for (uint32_t i = ranges_up_to(info, vaddr);
         i > 0 && rows[i - 1].reach > vaddr && tries > 0; i--) {
        if (rows[i - 1].end <= vaddr)
            continue;
        tries--;
        struct sym_place here;
        struct sym_unit *unit = table_row(&info->units, rows[i - 1].unit);
        if (!ask_unit(info, unit, vaddr, &here, status, problem)) {
            if (*status != STATUS_OK)
                return false;
            continue;
        }
        if (here.node != SYM_NO_NODE || !is_found)
            *place = here;
        is_found = true;
        if (here.node != SYM_NO_NODE)
            break;
    }
    return is_found;
}

bool sym_debug_info_covers(const struct sym_debug_info *info, uint64_t vaddr)
{
    const struct unit_range *rows = info->ranges.rows;
    uint32_t count = ranges_up_to(info, vaddr);
    return count > 0 && rows[count - 1].reach > vaddr;
}

bool sym_debug_info_range(
    const struct sym_debug_info *info, uint32_t i, uint64_t *start,
    uint64_t *end)
{
    if (i >= info->ranges.count)
        return false;
    const struct unit_range *range = table_row(&info->ranges, i);
    *start = range->start;
    *end = range->end;
    return true;
}

void sym_debug_info_close(struct sym_debug_info *info)
{
    for (uint32_t i = 0; i < info->units.count; i++)
        sym_unit_fini(table_row(&info->units, i));
    table_fini(&info->units);
    table_fini(&info->ranges);
    table_fini(&info->view.segments);
    sym_die_names_fini(&info->context.names);
    sym_split_files_close(&info->context.split);
    if (info->dwarf != NULL)
        dwarf_end(info->dwarf);
    if (info->supplement_dwarf != NULL)
        dwarf_end(info->supplement_dwarf);
    sym_image_close(&info->inflated);
    sym_image_close(&info->inflated_supplement);
    sym_image_close(&info->supplement);
}
