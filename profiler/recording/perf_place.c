/* A frame's place among the addresses of a process. */
#include "profiler/recording/perf_place.h"

#include "profiler/recording/perf_record.h"

enum { PAGE = 4096 };

/* Mappings of one module in one process form a chain behind the first. */
struct placed_mapping {
    uint64_t from_ns, to_ns;
    uint32_t next;
};

struct placed_page {
    uint32_t process, module;
    uint64_t offset;  /* of the page in the file */
    uint64_t address; /* where we put it */
};

void prof_perf_placer_init(struct prof_perf_placer *placer)
{
    *placer = (struct prof_perf_placer){0};
    placer->mapping.row_bytes = sizeof(struct placed_mapping);
    placer->page.row_bytes = sizeof(struct placed_page);
    placer->named.row_bytes = 1;
}

void prof_perf_placer_fini(struct prof_perf_placer *placer)
{
    table_fini(&placer->mapping);
    index_fini(&placer->mapping_index);
    table_fini(&placer->page);
    index_fini(&placer->page_index);
    table_fini(&placer->named);
}

/* ---- mappings the profile has ---- */

static uint32_t mapping_hash(uint32_t process, uint32_t module)
{
    return hash_u64((uint64_t)process << 32 | module);
}

static bool mapping_equal(const void *owner, uint32_t id, const void *key)
{
    const struct prof_mapping *row = prof_profile_mapping(owner, id);
    const struct prof_mapping *wanted = key;
    return row->process == wanted->process && row->module == wanted->module;
}

static void chain_mapping(
    struct prof_perf_placer *placer, const struct prof_profile *profile,
    uint32_t id)
{
    const struct prof_mapping *row = prof_profile_mapping(profile, id);
    uint32_t hash = mapping_hash(row->process, row->module);
    uint32_t first =
        index_find(&placer->mapping_index, hash, mapping_equal, profile, row);
    if (first == TABLE_NONE) {
        placer->is_failed |= !index_add(&placer->mapping_index, hash, id);
        return;
    }
    struct placed_mapping *head = table_row(&placer->mapping, first);
    struct placed_mapping *link = table_row(&placer->mapping, id);
    link->next = head->next;
    head->next = id;
}

static struct perf_mmap mmap_of(
    const struct prof_profile *profile, const struct prof_module *module,
    uint64_t start, uint64_t bytes, uint64_t offset)
{
    struct perf_mmap mmap = {
        .start = start,
        .bytes = bytes,
        .offset = offset,
        .path = prof_profile_text(profile, module->path),
        .build_id = module->build_id,
        .build_id_bytes = module->build_id_bytes};
    /* The names by which perf knows memory without a file. */
    if (module->kind == PROF_MODULE_ANONYMOUS)
        mmap.path = "//anon"; /* perf then asks /tmp/perf-PID.map */
    if (module->kind == PROF_MODULE_VDSO)
        mmap.path = "[vdso]";
    return mmap;
}

void prof_perf_placer_add_mapping(
    struct prof_perf_placer *placer, const struct prof_profile *profile,
    uint32_t id, uint64_t epoch_ns, struct prof_buffer *bytes)
{
    const struct prof_mapping *row = prof_profile_mapping(profile, id);
    struct placed_mapping placed = {
        .from_ns = row->from_ns < epoch_ns ? epoch_ns : row->from_ns,
        .to_ns = row->to_ns == 0 ? UINT64_MAX : row->to_ns,
        .next = TABLE_NONE};
    if (table_add(&placer->mapping, &placed) == TABLE_NONE) {
        placer->is_failed = true;
        return;
    }
    if (row->process == PROF_NONE || row->module == PROF_NONE ||
        row->end <= row->start)
        return;
    const struct prof_module *module =
        prof_profile_module(profile, row->module);
    if (module->kind == PROF_MODULE_KERNEL)
        return;

    chain_mapping(placer, profile, id);
    uint32_t pid = prof_profile_process(profile, row->process)->pid;
    struct perf_mmap mmap = mmap_of(
        profile, module, row->start, row->end - row->start, row->offset);
    prof_perf_put_mmap(
        bytes, (struct perf_stamp){pid, pid, placed.from_ns}, &mmap);
}

/* The runtime address of `offset`, if a mapping of that time covers it. */
static bool find_mapped(
    const struct prof_perf_placer *placer, const struct prof_profile *profile,
    const struct prof_mapping *wanted, uint64_t time_ns, uint64_t *address)
{
    uint32_t id = index_find(
        &placer->mapping_index, mapping_hash(wanted->process, wanted->module),
        mapping_equal, profile, wanted);
    while (id != TABLE_NONE) {
        const struct placed_mapping *placed = table_row(&placer->mapping, id);
        const struct prof_mapping *row = prof_profile_mapping(profile, id);
        if (placed->from_ns <= time_ns && time_ns < placed->to_ns &&
            wanted->offset >= row->offset &&
            wanted->offset - row->offset < row->end - row->start) {
            *address = row->start + (wanted->offset - row->offset);
            return true;
        }
        id = placed->next;
    }
    return false;
}

/* ---- pages for what no mapping explains ---- */

static bool page_equal(const void *owner, uint32_t id, const void *key)
{
    const struct prof_perf_placer *placer = owner;
    const struct placed_page *page = table_row(&placer->page, id);
    const struct placed_page *wanted = key;
    return page->process == wanted->process && page->module == wanted->module &&
           page->offset == wanted->offset;
}

static void add_page(
    struct prof_perf_placer *placer, const struct prof_profile *profile,
    uint32_t hash, const struct placed_page *page, struct prof_buffer *bytes)
{
    uint32_t id = table_add(&placer->page, page);
    if (id == TABLE_NONE || !index_add(&placer->page_index, hash, id)) {
        placer->is_failed = true;
        return;
    }
    uint32_t pid = prof_profile_process(profile, page->process)->pid;
    struct perf_mmap mmap = mmap_of(
        profile, prof_profile_module(profile, page->module), page->address,
        PAGE, page->offset);
    prof_perf_put_mmap(bytes, (struct perf_stamp){pid, pid, 0}, &mmap);
}

static uint64_t place_on_page(
    struct prof_perf_placer *placer, const struct prof_profile *profile,
    uint32_t process, const struct prof_frame *frame, struct prof_buffer *bytes)
{
    struct placed_page wanted = {
        .process = process,
        .module = frame->module,
        .offset = frame->offset / PAGE * PAGE};
    uint32_t hash = hash_u64(
        wanted.offset ^ (uint64_t)process << 32 ^
        (uint64_t)frame->module << 12);
    uint32_t id =
        index_find(&placer->page_index, hash, page_equal, placer, &wanted);
    if (id != TABLE_NONE) {
        const struct placed_page *page = table_row(&placer->page, id);
        return page->address + frame->offset % PAGE;
    }
    wanted.address = PERF_PAGE_BASE + (uint64_t)placer->page.count * PAGE;
    add_page(placer, profile, hash, &wanted, bytes);
    return wanted.address + frame->offset % PAGE;
}

/* ---- frames ---- */

static struct prof_perf_place place_native(
    struct prof_perf_placer *placer, const struct prof_profile *profile,
    uint32_t process, const struct prof_frame *frame, uint64_t time_ns,
    struct prof_buffer *bytes)
{
    const struct prof_module *module =
        prof_profile_module(profile, frame->module);
    if (module->kind == PROF_MODULE_KERNEL) {
        if (!placer->is_kernel_mapped)
            prof_perf_put_kernel_mmap(bytes);
        placer->is_kernel_mapped = true;
        return (struct prof_perf_place){frame->offset, true};
    }
    struct prof_mapping wanted = {
        .process = process, .module = frame->module, .offset = frame->offset};
    /* Unmapped memory without a file stays unknown, where it is. */
    uint64_t address = frame->offset;
    if (!find_mapped(placer, profile, &wanted, time_ns, &address) &&
        module->kind != PROF_MODULE_ANONYMOUS)
        address = place_on_page(placer, profile, process, frame, bytes);
    return (struct prof_perf_place){address, false};
}

/* True the first time a frame asks. */
static bool is_new_name(struct prof_perf_placer *placer, uint32_t frame)
{
    static const char zeros[4096];
    while (placer->named.count <= frame) {
        uint32_t more = frame + 1 - placer->named.count;
        more = more < sizeof zeros ? more : sizeof zeros;
        if (table_add_many(&placer->named, zeros, more) == TABLE_NONE) {
            placer->is_failed = true;
            return false;
        }
    }
    char *is_named = table_row(&placer->named, frame);
    bool is_new = !*is_named;
    *is_named = 1;
    return is_new;
}

struct prof_perf_place prof_perf_place_frame(
    struct prof_perf_placer *placer, const struct prof_profile *profile,
    uint32_t process, uint32_t frame, uint64_t time_ns,
    struct prof_buffer *bytes)
{
    const struct prof_frame *row = prof_profile_frame(profile, frame);
    if (row->kind == PROF_FRAME_NATIVE)
        return place_native(placer, profile, process, row, time_ns, bytes);

    uint64_t base =
        row->kind == PROF_FRAME_ACCOUNT ? PERF_ACCOUNT_BASE : PERF_NAMED_BASE;
    uint64_t address = base + (uint64_t)frame * PERF_NAMED_STRIDE;
    if (is_new_name(placer, frame)) {
        prof_perf_put_ksymbol(
            bytes, address, PERF_NAMED_STRIDE,
            prof_profile_text(profile, row->name));
    }
    return (struct prof_perf_place){address, true};
}
