/* The profile model: interned tables, and a failure that sticks. */
#include "profiler/model/profile.h"

#include <stdlib.h>
#include <string.h>

#include "profiler/model/profile_model.h"

struct prof_profile *prof_profile_create(void)
{
    struct prof_profile *profile = calloc(1, sizeof *profile);
    if (profile == NULL)
        return NULL;

    prof_strings_init(&profile->strings);
    profile->value_type.row_bytes = sizeof(struct prof_value_type);
    profile->module.row_bytes = sizeof(struct prof_module);
    profile->mapping.row_bytes = sizeof(struct prof_mapping);
    profile->process.row_bytes = sizeof(struct prof_process);
    profile->thread.row_bytes = sizeof(struct prof_thread);
    profile->frame.row_bytes = sizeof(struct prof_frame);
    profile->line.row_bytes = sizeof(struct prof_line);
    profile->stack.row_bytes = sizeof(struct prof_stack);
    profile->note.row_bytes = sizeof(struct prof_note);
    profile->reading.row_bytes = sizeof(struct prof_reading);
    prof_samples_init(&profile->samples);

    if (prof_profile_string(profile, "") != 0) {
        prof_profile_destroy(profile);
        return NULL;
    }
    return profile;
}

void prof_profile_destroy(struct prof_profile *profile)
{
    if (profile == NULL)
        return;
    struct table *tables[] = {
        &profile->value_type, &profile->module, &profile->mapping,
        &profile->process,    &profile->thread, &profile->frame,
        &profile->line,       &profile->stack,  &profile->note,
        &profile->reading,
    };
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        table_fini(tables[i]);
    prof_samples_fini(&profile->samples);
    prof_strings_fini(&profile->strings);
    index_fini(&profile->module_index);
    index_fini(&profile->frame_index);
    index_fini(&profile->stack_index);
    free(profile);
}

enum status prof_profile_status(const struct prof_profile *profile)
{
    return profile->status;
}

uint32_t prof_profile_give_up(struct prof_profile *profile)
{
    profile->status = STATUS_NO_MEMORY;
    return PROF_NONE;
}

uint32_t prof_profile_add_row(
    struct prof_profile *profile, struct table *table, const void *row)
{
    if (profile->status != STATUS_OK)
        return PROF_NONE;
    uint32_t id = table_add(table, row);
    return id == TABLE_NONE ? prof_profile_give_up(profile) : id;
}

/* Add a row that its index does not hold yet. */
static uint32_t add_interned(
    struct prof_profile *profile, struct table *table, struct index *index,
    uint32_t hash, const void *row)
{
    uint32_t id = prof_profile_add_row(profile, table, row);
    if (id != PROF_NONE && !index_add(index, hash, id))
        return prof_profile_give_up(profile);
    return id;
}

/* ---- strings ---- */

uint32_t prof_profile_string_n(
    struct prof_profile *profile, const char *text, size_t bytes)
{
    uint32_t id = prof_strings_find(&profile->strings, text, bytes);
    if (id != PROF_NONE || profile->status != STATUS_OK)
        return id;
    id = prof_strings_add(&profile->strings, text, bytes);
    return id == PROF_NONE ? prof_profile_give_up(profile) : id;
}

uint32_t prof_profile_string(struct prof_profile *profile, const char *text)
{
    return prof_profile_string_n(profile, text, strlen(text));
}

const char *prof_profile_text(const struct prof_profile *profile, uint32_t id)
{
    return prof_strings_text(&profile->strings, id);
}

/* ---- interned rows ---- */

static bool module_equal(const void *owner, uint32_t id, const void *key)
{
    const struct prof_profile *profile = owner;
    return memcmp(
               table_row(&profile->module, id), key,
               sizeof(struct prof_module)) == 0;
}

uint32_t prof_profile_add_module(
    struct prof_profile *profile, const struct prof_module *module)
{
    /* Field by field, so that padding does not take part in the comparison. */
    struct prof_module row;
    memset(&row, 0, sizeof row);
    row.kind = module->kind;
    row.path = module->path;
    row.build_id_bytes = module->build_id_bytes;
    memcpy(row.build_id, module->build_id, module->build_id_bytes);

    uint32_t hash = hash_bytes(&row, sizeof row);
    uint32_t id =
        index_find(&profile->module_index, hash, module_equal, profile, &row);
    if (id != TABLE_NONE)
        return id;
    return add_interned(
        profile, &profile->module, &profile->module_index, hash, &row);
}

static bool frame_equal(const void *owner, uint32_t id, const void *key)
{
    const struct prof_profile *profile = owner;
    const struct prof_frame *frame = table_row(&profile->frame, id);
    const struct prof_frame *wanted = key;
    return frame->kind == wanted->kind && frame->module == wanted->module &&
           frame->name == wanted->name && frame->offset == wanted->offset;
}

static uint32_t intern_frame(
    struct prof_profile *profile, const struct prof_frame *frame)
{
    uint32_t hash = hash_u64(
        frame->offset ^ (uint64_t)frame->module << 40 ^
        (uint64_t)frame->name << 20 ^ (uint64_t)frame->kind << 62);
    uint32_t id =
        index_find(&profile->frame_index, hash, frame_equal, profile, frame);
    if (id != TABLE_NONE)
        return id;
    return add_interned(
        profile, &profile->frame, &profile->frame_index, hash, frame);
}

uint32_t prof_profile_add_native_frame(
    struct prof_profile *profile, uint32_t module, uint64_t offset)
{
    if (module == PROF_NONE)
        return PROF_NONE;
    struct prof_frame frame = {
        .kind = PROF_FRAME_NATIVE, .module = module, .offset = offset};
    return intern_frame(profile, &frame);
}

uint32_t prof_profile_add_named_frame(
    struct prof_profile *profile, enum prof_frame_kind kind, const char *name)
{
    struct prof_frame frame = {
        .kind = kind,
        .module = PROF_NONE,
        .name = prof_profile_string(profile, name)};
    return frame.name == PROF_NONE ? PROF_NONE : intern_frame(profile, &frame);
}

static bool stack_equal(const void *owner, uint32_t id, const void *key)
{
    const struct prof_profile *profile = owner;
    const struct prof_stack *stack = table_row(&profile->stack, id);
    const struct prof_stack *wanted = key;
    return stack->parent == wanted->parent && stack->frame == wanted->frame;
}

uint32_t prof_profile_add_stack(
    struct prof_profile *profile, uint32_t parent, uint32_t frame)
{
    if (frame == PROF_NONE)
        return PROF_NONE;
    struct prof_stack stack = {.parent = parent, .frame = frame, .depth = 1};
    uint32_t hash = hash_u64((uint64_t)parent << 32 | frame);
    uint32_t id =
        index_find(&profile->stack_index, hash, stack_equal, profile, &stack);
    if (id != TABLE_NONE)
        return id;
    if (parent != PROF_NONE)
        stack.depth = prof_profile_stack(profile, parent)->depth + 1;
    return add_interned(
        profile, &profile->stack, &profile->stack_index, hash, &stack);
}

/* ---- plain rows ---- */

uint32_t prof_profile_add_value_type(
    struct prof_profile *profile, const char *name, const char *unit)
{
    struct prof_value_type type = {
        .name = prof_profile_string(profile, name),
        .unit = prof_profile_string(profile, unit)};
    if (profile->value_type.count >= PROF_VALUE_TYPES)
        return PROF_NONE;
    return prof_profile_add_row(profile, &profile->value_type, &type);
}

uint32_t prof_profile_add_mapping(
    struct prof_profile *profile, const struct prof_mapping *mapping)
{
    return prof_profile_add_row(profile, &profile->mapping, mapping);
}

uint32_t prof_profile_add_process(
    struct prof_profile *profile, const struct prof_process *process)
{
    return prof_profile_add_row(profile, &profile->process, process);
}

uint32_t prof_profile_add_thread(
    struct prof_profile *profile, const struct prof_thread *thread)
{
    return prof_profile_add_row(profile, &profile->thread, thread);
}

void prof_profile_set_lines(
    struct prof_profile *profile, uint32_t frame, const struct prof_line *lines,
    size_t count)
{
    if (profile->status != STATUS_OK || frame == PROF_NONE)
        return;
    uint32_t first = table_add_many(&profile->line, lines, (uint32_t)count);
    if (first == TABLE_NONE) {
        (void)prof_profile_give_up(profile);
        return;
    }
    struct prof_frame *row = table_row(&profile->frame, frame);
    row->first_line = first;
    row->line_count = (uint32_t)count;
}

/* ---- readings ---- */

uint32_t prof_profile_add_reading(
    struct prof_profile *profile, const struct prof_reading *reading)
{
    return prof_profile_add_row(profile, &profile->reading, reading);
}

void prof_profile_forget_readings(
    struct prof_profile *profile, uint64_t before_ns)
{
    struct table *readings = &profile->reading;
    uint32_t count = 0;
    while (count < readings->count &&
           prof_profile_reading(profile, count)->time_ns < before_ns)
        count++;
    readings->count -= count;
    if (readings->count > 0 && count > 0)
        memmove(
            readings->rows, table_row(readings, count),
            (size_t)readings->count * readings->row_bytes);
}

/* ---- losses and notes ---- */

void prof_profile_add_note(struct prof_profile *profile, const char *sentence)
{
    struct prof_note note = {.text = prof_profile_string(profile, sentence)};
    bool is_known = note.text == PROF_NONE || note.text == 0;
    for (uint32_t i = 0; !is_known && i < profile->note.count; i++)
        is_known = prof_profile_note(profile, i)->text == note.text;
    if (!is_known)
        (void)prof_profile_add_row(profile, &profile->note, &note);
}

void prof_profile_add_loss(
    struct prof_profile *profile, enum prof_loss reason, uint64_t count)
{
    profile->loss[reason] += count;
}

uint64_t prof_profile_loss(
    const struct prof_profile *profile, enum prof_loss reason)
{
    return profile->loss[reason];
}

/* ---- reading and editing ---- */

#define TABLE_COUNT(name, type)                                                \
    uint32_t prof_profile_##name##_count(const struct prof_profile *profile)   \
    {                                                                          \
        return profile->name.count;                                            \
    }
PROF_TABLE_LIST(TABLE_COUNT)
#undef TABLE_COUNT

#define TABLE_READ(name)                                                       \
    const struct prof_##name *prof_profile_##name(                             \
        const struct prof_profile *profile, uint32_t id)                       \
    {                                                                          \
        return table_row(&profile->name, id);                                  \
    }
TABLE_READ(value_type)
TABLE_READ(module)
TABLE_READ(mapping)
TABLE_READ(process)
TABLE_READ(thread)
TABLE_READ(frame)
TABLE_READ(line)
TABLE_READ(stack)
TABLE_READ(note)
TABLE_READ(reading)
#undef TABLE_READ

uint32_t prof_profile_string_count(const struct prof_profile *profile)
{
    return profile->strings.at.count;
}

#define TABLE_EDIT(name)                                                       \
    struct prof_##name *prof_profile_edit_##name(                              \
        struct prof_profile *profile, uint32_t id)                             \
    {                                                                          \
        return table_row(&profile->name, id);                                  \
    }
TABLE_EDIT(process)
TABLE_EDIT(thread)
TABLE_EDIT(mapping)
#undef TABLE_EDIT

struct prof_origin *prof_profile_origin(struct prof_profile *profile)
{
    return &profile->origin;
}

const struct prof_origin *prof_profile_read_origin(
    const struct prof_profile *profile)
{
    return &profile->origin;
}
