/* Builds a profile from perf's events. */
#include "profiler/recording/perf_builder.h"

#include <stdio.h>
#include <string.h>

/* Frames that a chain of the kernel's has at most, unless the attribute tells.
 */
enum { DEFAULT_MAX_STACK = 127 };

struct named_row {
    uint64_t address;
    uint32_t frame;
};

void prof_perf_builder_init(
    struct prof_perf_builder *builder, struct prof_profile *profile,
    const struct prof_perf_attrs *attrs)
{
    *builder = (struct prof_perf_builder){.profile = profile, .attrs = attrs};
    prof_perf_people_init(&builder->people, profile);
    prof_perf_modules_init(&builder->modules, profile);
    builder->named.row_bytes = sizeof(struct named_row);
    builder->frames.row_bytes = sizeof(uint32_t);
}

void prof_perf_builder_fini(struct prof_perf_builder *builder)
{
    prof_perf_people_fini(&builder->people);
    prof_perf_space_fini(&builder->kernel);
    prof_perf_modules_fini(&builder->modules);
    table_fini(&builder->named);
    index_fini(&builder->named_index);
    table_fini(&builder->frames);
}

/* ---- mappings ---- */

static void map_kernel(
    struct prof_perf_builder *builder, const struct prof_perf_event *event)
{
    struct prof_perf_area area = {
        .start = event->start,
        .end = event->start + event->bytes,
        .module = prof_perf_module_of_kernel(&builder->modules, event)};
    builder->is_failed |= !prof_perf_space_map(
        &builder->kernel, builder->profile, PROF_NONE, &area, 0);
    /* perf notes the symbol behind the name, and its address for an offset. */
    static const char kernel[] = "[kernel.kallsyms]_";
    if (event->name_bytes >= sizeof kernel - 1 &&
        memcmp(event->name, kernel, sizeof kernel - 1) == 0)
        prof_profile_origin(builder->profile)->kernel_symbol_vaddr =
            event->offset;
}

/* The first file an image maps is its executable; then comes the loader. */
static void set_path(
    struct prof_perf_builder *builder, uint32_t process, uint32_t module)
{
    struct prof_process *row =
        prof_profile_edit_process(builder->profile, process);
    if (row->path == 0)
        row->path = prof_profile_module(builder->profile, module)->path;
}

static void map_user(
    struct prof_perf_builder *builder, const struct prof_perf_event *event)
{
    struct prof_perf_image *image =
        prof_perf_people_image(&builder->people, event->pid);
    if (image == NULL || event->bytes > UINT64_MAX - event->start)
        return;
    enum prof_module_kind kind = prof_perf_module_kind(event);
    struct prof_perf_area area = {
        .start = event->start,
        .end = event->start + event->bytes,
        .offset = event->offset};
    if (kind == PROF_MODULE_ANONYMOUS) {
        area.module = prof_perf_module_anonymous(&builder->modules, image->pid);
        area.offset = event->start;
    } else {
        area.module = prof_perf_module_of_file(&builder->modules, event, kind);
    }
    if (area.module == PROF_NONE || image->process == PROF_NONE)
        return;
    if (kind == PROF_MODULE_FILE)
        set_path(builder, image->process, area.module);
    builder->is_failed |= !prof_perf_space_map(
        &image->space, builder->profile, image->process, &area, event->time_ns);
}

/* ---- frames ---- */

static bool named_equal(const void *owner, uint32_t id, const void *key)
{
    const struct prof_perf_builder *builder = owner;
    const struct named_row *row = table_row(&builder->named, id);
    return row->address == *(const uint64_t *)key;
}

/* In our own recordings KSYMBOL names frames that have no address. */
static void name_frame(
    struct prof_perf_builder *builder, const struct prof_perf_event *event)
{
    if (!builder->attrs->is_own || event->start < PERF_NAMED_BASE ||
        event->start >= PERF_PAGE_BASE)
        return;
    enum prof_frame_kind kind = event->start >= PERF_ACCOUNT_BASE
                                    ? PROF_FRAME_ACCOUNT
                                    : PROF_FRAME_NAMED;
    char name[256];
    (void)snprintf(
        name, sizeof name, "%.*s", (int)(event->name_bytes & 0xffff),
        event->name);
    struct named_row row = {
        event->start,
        prof_profile_add_named_frame(builder->profile, kind, name)};
    uint32_t id = table_add(&builder->named, &row);
    if (id == TABLE_NONE ||
        !index_add(&builder->named_index, hash_u64(row.address), id))
        builder->is_failed = true;
}

static uint32_t kernel_frame(struct prof_perf_builder *builder, uint64_t pc)
{
    uint32_t id = index_find(
        &builder->named_index, hash_u64(pc), named_equal, builder, &pc);
    if (id != TABLE_NONE) {
        const struct named_row *row = table_row(&builder->named, id);
        return row->frame;
    }
    const struct prof_perf_area *area = prof_perf_space_find(
        &builder->kernel, builder->profile, PROF_NONE, pc, 0);
    return prof_profile_add_native_frame(
        builder->profile,
        area != NULL ? area->module
                     : prof_perf_module_of_kernel(&builder->modules, NULL),
        pc);
}

static uint32_t user_frame(
    struct prof_perf_builder *builder, struct prof_perf_image *image,
    uint64_t pc)
{
    uint64_t from_ns =
        prof_profile_process(builder->profile, image->process)->start_ns;
    const struct prof_perf_area *area = prof_perf_space_find(
        &image->space, builder->profile, image->process, pc, from_ns);
    if (area != NULL)
        return prof_profile_add_native_frame(
            builder->profile, area->module, area->offset + (pc - area->start));
    prof_profile_add_loss(builder->profile, PROF_LOSS_UNMAPPED, 1);
    return prof_profile_add_native_frame(
        builder->profile, prof_perf_module_unknown(&builder->modules), pc);
}

static void push_frame(
    struct prof_perf_builder *builder, struct prof_perf_image *image,
    uint64_t pc, bool is_kernel)
{
    uint32_t frame =
        is_kernel ? kernel_frame(builder, pc) : user_frame(builder, image, pc);
    builder->is_failed |= table_add(&builder->frames, &frame) == TABLE_NONE;
}

/*
 * The frames of a chain, leaf first. The first address behind a context marker
 * is where that context stood; the others are return addresses, unless the
 * recording is ours. Guests and hypervisors have addresses of their own, which
 * nothing here can tell: theirs are left out. The kernel's chains end with
 * user addresses; found by frame pointer, these may be any number, and one
 * that looks like a marker tells that the rest is none either.
 */
static void push_chain(
    struct prof_perf_builder *builder, struct prof_perf_image *image,
    const struct prof_perf_event *event)
{
    struct prof_cursor chain =
        prof_cursor_of(event->chain, event->chain_count * 8);
    uint64_t context = event->is_kernel ? PERF_CONTEXT_KERNEL : 0;
    bool is_own = builder->attrs->is_own, is_exact = true;
    while (prof_cursor_left(&chain) > 0) {
        uint64_t ip = prof_cursor_u64(&chain);
        if (ip >= PERF_CONTEXT_MAX) {
            if (context == PERF_CONTEXT_USER && !is_own)
                return;
            context = ip;
            is_exact = true;
            continue;
        }
        if (!is_exact && !is_own && ip != 0)
            ip--;
        is_exact = false;
        bool is_kernel = context == PERF_CONTEXT_KERNEL;
        if (is_kernel || context == PERF_CONTEXT_USER || context == 0)
            push_frame(builder, image, ip, is_kernel);
    }
}

/* ---- samples ---- */

static const struct perf_event_attr *attr_of(
    const struct prof_perf_builder *builder, uint32_t event)
{
    return &prof_perf_attrs_at(builder->attrs, event)->attr;
}

/* Whether the stack lacks its outermost part; counts why. */
static bool is_truncated(
    struct prof_perf_builder *builder, const struct prof_perf_event *event)
{
    if (event->has_user_stack) {
        builder->dumped_samples++;
        prof_profile_add_loss(builder->profile, PROF_LOSS_INCOMPLETE, 1);
        return true;
    }
    uint64_t limit = attr_of(builder, event->event)->sample_max_stack;
    if (limit == 0)
        limit = DEFAULT_MAX_STACK;
    bool is_cut = builder->attrs->is_own
                      ? event->chain_count + 2 > PERF_CHAIN_MAX
                      : builder->frames.count >= limit;
    if (is_cut)
        prof_profile_add_loss(builder->profile, PROF_LOSS_CUT, 1);
    return is_cut;
}

static enum prof_state state_of(const struct perf_event_attr *attr)
{
    bool is_counter = attr->type == PERF_TYPE_HARDWARE ||
                      attr->type == PERF_TYPE_HW_CACHE ||
                      attr->type == PERF_TYPE_RAW;
    return is_counter || prof_perf_attr_is_clock(attr) ? PROF_STATE_ON_CPU
                                                       : PROF_STATE_UNKNOWN;
}

static void add_sample(
    struct prof_perf_builder *builder, const struct prof_perf_event *event)
{
    uint32_t thread =
        prof_perf_people_thread(&builder->people, event->pid, event->tid);
    struct prof_perf_image *image =
        prof_perf_people_image(&builder->people, event->pid);
    if (image == NULL || thread == PROF_NONE)
        return;
    image->has_samples = true;

    builder->frames.count = 0;
    push_chain(builder, image, event);
    if (builder->frames.count == 0 && event->ip != 0)
        push_frame(builder, image, event->ip, event->is_kernel);

    struct prof_sample sample = {
        .time_ns = event->time_ns,
        .thread = thread,
        .stack = PROF_NONE,
        .state = (uint8_t)state_of(attr_of(builder, event->event)),
        .flags = is_truncated(builder, event) ? PROF_SAMPLE_TRUNCATED : 0,
        .values = {event->period}};
    for (uint32_t i = builder->frames.count; i-- > 0;) {
        uint32_t frame = *(uint32_t *)table_row(&builder->frames, i);
        sample.stack =
            prof_profile_add_stack(builder->profile, sample.stack, frame);
    }
    prof_profile_add_sample(builder->profile, &sample);
}

/* ---- events ---- */

void prof_perf_builder_choose_event(struct prof_perf_builder *builder)
{
    uint32_t count = builder->attrs->attr.count;
    if (count == 0)
        return;
    for (uint32_t i = 0; i < count; i++) {
        const struct perf_event_attr *attr = attr_of(builder, i);
        builder->chosen = i;
        if (attr->type != PERF_TYPE_SOFTWARE ||
            attr->config != PERF_COUNT_SW_DUMMY)
            break;
    }
    const struct perf_event_attr *attr = attr_of(builder, builder->chosen);
    if (prof_perf_attr_is_clock(attr)) {
        prof_profile_add_value_type(builder->profile, "cpu", "nanoseconds");
        prof_profile_origin(builder->profile)->period_ns =
            prof_perf_attr_period_ns(attr);
    } else {
        prof_profile_add_value_type(
            builder->profile,
            prof_perf_attr_name(
                prof_perf_attrs_at(builder->attrs, builder->chosen)),
            "count");
    }
}

void prof_perf_builder_apply(
    struct prof_perf_builder *builder, const struct prof_perf_event *event)
{
    switch (event->type) {
    case PERF_RECORD_MMAP:
    case PERF_RECORD_MMAP2:
        if (event->is_kernel || event->pid == UINT32_MAX)
            map_kernel(builder, event);
        else if (!event->is_data)
            map_user(builder, event);
        break;
    case PERF_RECORD_COMM:
        prof_perf_people_comm(&builder->people, event);
        break;
    case PERF_RECORD_FORK:
        prof_perf_people_fork(&builder->people, event);
        break;
    case PERF_RECORD_EXIT:
        prof_perf_people_exit(&builder->people, event);
        break;
    case PERF_RECORD_KSYMBOL:
        name_frame(builder, event);
        break;
    case PERF_RECORD_LOST:
    case PERF_RECORD_LOST_SAMPLES:
        prof_profile_add_loss(
            builder->profile, PROF_LOSS_RING_FULL, event->lost);
        break;
    case PERF_RECORD_SAMPLE:
        if (prof_perf_attr_is_same(
                attr_of(builder, builder->chosen),
                attr_of(builder, event->event)))
            add_sample(builder, event);
        else
            builder->other_samples++;
        break;
    default:
        break;
    }
    builder->is_failed |=
        builder->people.is_failed || builder->modules.is_failed;
}
