/* Stacks of an event. */
#include "exporters/sentry/event_stack.h"

#include <stdlib.h>

#include "exporters/sentry/image.h"
#include "exporters/sentry/in_app.h"
#include "exporters/text.h"

/* Of a stack that is too deep, this part is of its beginning. */
enum { OUTERMOST_SHARE = 8 };

uint64_t exp_event_frame_pc(const struct prof_crash *crash, uint32_t frame)
{
    const struct prof_profile *profile = crash->profile;
    const struct prof_frame *row = prof_profile_frame(profile, frame);
    if (row->kind != PROF_FRAME_NATIVE)
        return 0;
    if (prof_profile_module(profile, row->module)->kind ==
        PROF_MODULE_ANONYMOUS)
        return row->offset;
    for (uint32_t i = 0; i < prof_profile_mapping_count(profile); i++) {
        const struct prof_mapping *at = prof_profile_mapping(profile, i);
        if (at->module == row->module &&
            row->offset - at->offset < at->end - at->start)
            return at->start + (row->offset - at->offset);
    }
    return 0;
}

static void write_address(
    struct exp_event_stacks *stacks, uint32_t frame, uint32_t module,
    struct exp_json *json)
{
    struct exp_image image;
    uint64_t pc = exp_event_frame_pc(stacks->crash, frame);
    const struct prof_frame *row =
        prof_profile_frame(stacks->crash->profile, frame);
    /* A call to nowhere is an address as any other. */
    if (pc != 0 || row->kind == PROF_FRAME_NATIVE)
        exp_image_write_address(json, "instruction_addr", pc);
    if (module == PROF_NONE)
        return;
    stacks->is_used[module] = true;
    if (exp_image_find(
            stacks->crash->profile, stacks->crash->process, module, &image))
        exp_image_write_address(json, "image_addr", image.address);
}

static bool write_line(
    struct exp_event_stacks *stacks, uint32_t frame, uint32_t index,
    struct exp_json *json)
{
    const struct prof_profile *profile = stacks->crash->profile;
    struct exp_frame line;
    if (!exp_frames_line(
            stacks->names, stacks->crash->process, frame, index, &line))
        return false;
    const char *function = exp_frames_text(stacks->names, line.name);
    const char *file = prof_profile_text(profile, line.file);
    const char *path = "";
    bool is_file =
        line.module != PROF_NONE &&
        prof_profile_module(profile, line.module)->kind == PROF_MODULE_FILE;
    if (is_file)
        path = prof_profile_text(
            profile, prof_profile_module(profile, line.module)->path);
    /* Code that nobody has a name for may be none at all. */
    bool is_named = is_file || function[0] != '[';
    exp_json_begin_object(json);
    exp_json_member_if(json, "function", is_named ? function : "");
    exp_json_member_if(json, "package", path);
    exp_json_member_if(json, "filename", exp_text_base_name(file));
    exp_json_member_if(json, "abs_path", file);
    if (line.line > 0) {
        exp_json_key(json, "lineno");
        exp_json_u64(json, line.line);
    }
    write_address(stacks, frame, is_file ? line.module : PROF_NONE, json);
    exp_json_key(json, "in_app");
    exp_json_bool(
        json, exp_in_app(
                  stacks->in_app, path, function,
                  (line.kind == EXP_KIND_RUNTIME && is_named) ||
                      (is_file &&
                       exp_module_is_own(
                           profile, stacks->crash->process, line.module))));
    exp_json_end(json);
    return true;
}

/* Inlined calls come after who they were inlined into. */
static bool write_frame(
    struct exp_event_stacks *stacks, uint32_t frame, struct exp_json *json)
{
    uint32_t count = prof_profile_frame_depth(stacks->crash->profile, frame);
    bool is_written = true;
    while (is_written && count-- > 0)
        is_written = write_line(stacks, frame, count, json);
    return is_written;
}

static void write_registers(
    const struct prof_crash *crash, struct exp_json *json)
{
    exp_json_key(json, "registers");
    exp_json_begin_object(json);
    for (uint32_t i = 0; i < crash->register_count; i++)
        exp_image_write_address(
            json, crash->registers[i].name, crash->registers[i].value);
    exp_json_end(json);
}

/* Frames `first` to before `last`, counted from the innermost, are left out. */
static void write_omitted(
    uint32_t depth, uint32_t first, uint32_t last, struct exp_json *json)
{
    if (first >= last)
        return;
    exp_json_key(json, "frames_omitted");
    exp_json_begin_array(json);
    exp_json_u64(json, depth - last);
    exp_json_u64(json, depth - first);
    exp_json_end(json);
}

bool exp_event_stack_write(
    struct exp_event_stacks *stacks, const struct prof_sample *sample,
    uint32_t frames_max, bool with_registers, struct exp_json *json)
{
    const struct prof_profile *profile = stacks->crash->profile;
    uint32_t depth = prof_profile_stack(profile, sample->stack)->depth;
    uint32_t *frames = malloc(depth * sizeof *frames);
    if (frames == NULL)
        return false;
    uint32_t count = 0;
    for (uint32_t at = sample->stack; at != PROF_NONE && count < depth;
         at = prof_profile_stack(profile, at)->parent)
        frames[count++] = prof_profile_stack(profile, at)->frame;

    uint32_t last = count, first = count;
    if (count > frames_max) {
        last = count - frames_max / OUTERMOST_SHARE;
        first = frames_max - frames_max / OUTERMOST_SHARE;
    }
    bool is_written = true;
    exp_json_key(json, "stacktrace");
    exp_json_begin_object(json);
    /* A caller's address is within its call already. */
    exp_json_member_if(json, "instruction_addr_adjustment", "none");
    write_omitted(count, first, last, json);
    exp_json_key(json, "frames");
    exp_json_begin_array(json);
    for (uint32_t i = count; i-- > 0 && is_written;) {
        if (i < first || i >= last)
            is_written = write_frame(stacks, frames[i], json);
    }
    exp_json_end(json);
    if (with_registers)
        write_registers(stacks->crash, json);
    exp_json_end(json);
    free(frames);
    return is_written;
}
