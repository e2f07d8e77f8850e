/* The stacks and frames of one chunk. */
#include "exporters/sentry/chunk_stacks.h"

#include <stdlib.h>

#include "exporters/frames.h"
#include "exporters/json.h"
#include "exporters/sentry/image.h"
#include "exporters/sentry/in_app.h"
#include "exporters/text.h"

/* As `process`, where a stack is of no process: it has no frame. */
#define IDLE PROF_NONE

struct stack_row {
    uint32_t process;
    uint32_t stack; /* of the profile; PROF_NONE: not known */
};

struct frame_row {
    uint32_t process; /* the first that had it */
    uint32_t frame;   /* of the profile; PROF_NONE: not known */
    uint32_t line;    /* index among the frame's */
    bool is_own;      /* its module is the process's own */
};

bool exp_chunk_stacks_init(
    struct exp_chunk_stacks *stacks, const struct prof_profile *profile,
    const char *in_app)
{
    *stacks = (struct exp_chunk_stacks){
        .profile = profile,
        .in_app = in_app,
        .names = exp_frames_create(profile),
        .stacks.row_bytes = sizeof(struct stack_row),
        .frames.row_bytes = sizeof(struct frame_row),
        .images.row_bytes = sizeof(struct exp_image),
        .is_listed = calloc(
            (size_t)prof_profile_module_count(profile) + 1,
            sizeof *stacks->is_listed)};
    return stacks->names != NULL && stacks->is_listed != NULL;
}

void exp_chunk_stacks_fini(struct exp_chunk_stacks *stacks)
{
    exp_frames_destroy(stacks->names);
    table_fini(&stacks->stacks);
    table_fini(&stacks->frames);
    table_fini(&stacks->images);
    index_fini(&stacks->stack_index);
    index_fini(&stacks->frame_index);
    free(stacks->is_listed);
}

/* ---- stacks ---- */

static bool is_stack(const void *owner, uint32_t id, const void *key)
{
    const struct exp_chunk_stacks *stacks = owner;
    const struct stack_row *row = table_row(&stacks->stacks, id);
    const struct stack_row *wanted = key;
    return row->process == wanted->process && row->stack == wanted->stack;
}

uint32_t exp_chunk_stacks_add(
    struct exp_chunk_stacks *stacks, uint32_t process, uint32_t stack)
{
    struct stack_row row = {.process = process, .stack = stack};
    uint32_t hash = hash_u64((uint64_t)process << 32 | stack);
    uint32_t id =
        index_find(&stacks->stack_index, hash, is_stack, stacks, &row);
    if (id != TABLE_NONE)
        return id;
    id = table_add(&stacks->stacks, &row);
    if (id == TABLE_NONE || !index_add(&stacks->stack_index, hash, id))
        return TABLE_NONE;
    return id;
}

uint32_t exp_chunk_stacks_idle(struct exp_chunk_stacks *stacks)
{
    return exp_chunk_stacks_add(stacks, IDLE, PROF_NONE);
}

/* ---- frames ---- */

static bool is_frame(const void *owner, uint32_t id, const void *key)
{
    const struct exp_chunk_stacks *stacks = owner;
    const struct frame_row *row = table_row(&stacks->frames, id);
    const struct frame_row *wanted = key;
    return row->frame == wanted->frame && row->line == wanted->line &&
           row->is_own == wanted->is_own;
}

static uint32_t add_frame(
    struct exp_chunk_stacks *stacks, const struct frame_row *row)
{
    uint32_t hash = hash_u64(
        (uint64_t)row->frame << 32 ^ (uint64_t)row->line << 1 ^ row->is_own);
    uint32_t id = index_find(&stacks->frame_index, hash, is_frame, stacks, row);
    if (id != TABLE_NONE)
        return id;
    id = table_add(&stacks->frames, row);
    if (id == TABLE_NONE || !index_add(&stacks->frame_index, hash, id))
        return TABLE_NONE;
    return id;
}

/* Where the module stood in the first process that had code in it. */
static bool list_image(
    struct exp_chunk_stacks *stacks, uint32_t process, uint32_t module)
{
    struct exp_image image;
    if (stacks->is_listed[module])
        return true;
    stacks->is_listed[module] = true;
    return !exp_image_find(stacks->profile, process, module, &image) ||
           table_add(&stacks->images, &image) != TABLE_NONE;
}

/* The numbers of one frame of the profile, one for each line, innermost first;
   false when out of memory. */
static bool write_frame_numbers(
    struct exp_chunk_stacks *stacks, uint32_t process, uint32_t frame,
    struct exp_json *json)
{
    const struct prof_frame *row = prof_profile_frame(stacks->profile, frame);
    bool is_native = row->kind == PROF_FRAME_NATIVE;
    struct frame_row numbered = {
        .process = process,
        .frame = frame,
        .is_own = is_native
                      ? exp_module_is_own(stacks->profile, process, row->module)
                      : row->kind == PROF_FRAME_NAMED};
    if (is_native && !list_image(stacks, process, row->module))
        return false;
    uint32_t lines = prof_profile_frame_depth(stacks->profile, frame);
    for (; numbered.line < lines; numbered.line++) {
        uint32_t number = add_frame(stacks, &numbered);
        if (number == TABLE_NONE)
            return false;
        exp_json_u64(json, number);
    }
    return true;
}

static bool write_stack(
    struct exp_chunk_stacks *stacks, const struct stack_row *row,
    struct exp_json *json)
{
    bool is_written = true;
    exp_json_begin_array(json);
    if (row->process != IDLE && row->stack == PROF_NONE) {
        const struct frame_row unknown = {.frame = PROF_NONE};
        uint32_t number = add_frame(stacks, &unknown);
        is_written = number != TABLE_NONE;
        exp_json_u64(json, number);
    }
    for (uint32_t stack = row->stack; stack != PROF_NONE && is_written;) {
        const struct prof_stack *at =
            prof_profile_stack(stacks->profile, stack);
        is_written = write_frame_numbers(stacks, row->process, at->frame, json);
        stack = at->parent;
    }
    exp_json_end(json);
    return is_written;
}

/* ---- what a frame is ---- */

/* Sentry groups by `module`, where there is one; older servers do not know
   `package`. */
static void write_object(struct exp_json *json, const char *path)
{
    exp_json_member_if(json, "module", exp_text_base_name(path));
    exp_json_member_if(json, "package", path);
}

static bool write_frame(
    struct exp_chunk_stacks *stacks, const struct frame_row *row,
    struct exp_json *json)
{
    const struct prof_profile *profile = stacks->profile;
    const char *path = "", *function = "[no stack]";
    struct exp_frame frame = {.module = PROF_NONE};
    if (row->frame != PROF_NONE) {
        if (!exp_frames_line(
                stacks->names, row->process, row->frame, row->line, &frame))
            return false;
        function = exp_frames_text(stacks->names, frame.name);
    }
    if (frame.module != PROF_NONE)
        path = prof_profile_text(
            profile, prof_profile_module(profile, frame.module)->path);
    exp_json_begin_object(json);
    exp_json_member_if(json, "function", function);
    write_object(json, path);
    const char *file = prof_profile_text(profile, frame.file);
    exp_json_member_if(json, "filename", exp_text_base_name(file));
    exp_json_member_if(json, "abs_path", file);
    if (frame.line > 0) {
        exp_json_key(json, "lineno");
        exp_json_u64(json, frame.line);
    }
    exp_json_key(json, "in_app");
    exp_json_bool(
        json, exp_in_app(
                  stacks->in_app, path, frame.name ? function : "",
                  row->is_own || frame.kind == EXP_KIND_RUNTIME));
    exp_json_end(json);
    return true;
}

bool exp_chunk_stacks_write(
    struct exp_chunk_stacks *stacks, struct exp_json *json)
{
    bool is_written = true;
    exp_json_key(json, "stacks");
    exp_json_begin_array(json);
    for (uint32_t i = 0; i < stacks->stacks.count && is_written; i++)
        is_written = write_stack(stacks, table_row(&stacks->stacks, i), json);
    exp_json_end(json);
    exp_json_key(json, "frames");
    exp_json_begin_array(json);
    for (uint32_t i = 0; i < stacks->frames.count && is_written; i++)
        is_written = write_frame(stacks, table_row(&stacks->frames, i), json);
    exp_json_end(json);
    return is_written;
}

void exp_chunk_stacks_write_images(
    const struct exp_chunk_stacks *stacks, struct exp_json *json)
{
    exp_json_key(json, "debug_meta");
    exp_json_begin_object(json);
    exp_json_key(json, "images");
    exp_json_begin_array(json);
    for (uint32_t i = 0; i < stacks->images.count; i++)
        exp_image_write(
            stacks->profile, table_row(&stacks->images, i), EXP_IMAGE_PROFILE,
            json);
    exp_json_end(json);
    exp_json_end(json);
}
