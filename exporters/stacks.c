/* Stacks one after the other; see the header. */
#include "exporters/stacks.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "exporters/frames.h"
#include "exporters/json.h"
#include "exporters/text.h"
#include "exporters/writer.h"

struct rendering {
    const struct prof_profile *profile;
    struct exp_frames *frames;
    struct exp_writer *writer;
    struct exp_json json;
};

static const char *text_of(const struct rendering *rendering, uint32_t string)
{
    return prof_profile_text(rendering->profile, string);
}

static uint32_t process_of(
    const struct rendering *rendering, const struct prof_sample *sample)
{
    return prof_profile_thread(rendering->profile, sample->thread)->process;
}

/* Whether all of a thread's stack is there. */
static bool is_complete(const struct prof_sample *sample)
{
    return sample->stack != PROF_NONE &&
           (sample->flags & PROF_SAMPLE_TRUNCATED) == 0;
}

/* ---- text ---- */

static void write_place(
    struct rendering *rendering, const struct exp_frame *frame)
{
    struct exp_writer *writer = rendering->writer;
    const char *file = text_of(rendering, frame->file);
    if (*file != '\0') {
        exp_write_text(writer, " at ");
        exp_write_clean(writer, file);
        if (frame->line > 0)
            exp_write_format(writer, ":%" PRIu32, frame->line);
        return;
    }
    const char *name = exp_frames_text(rendering->frames, frame->name);
    if (frame->module == PROF_NONE || name[0] == '[')
        return; /* the module is in its name */
    const struct prof_module *module =
        prof_profile_module(rendering->profile, frame->module);
    if (module->kind == PROF_MODULE_ANONYMOUS)
        return; /* made by a runtime */
    exp_write_text(writer, " in ");
    exp_write_clean(
        writer, exp_text_base_name(text_of(rendering, module->path)));
}

static void write_stack(
    struct rendering *rendering, const struct prof_sample *sample)
{
    struct exp_writer *writer = rendering->writer;
    const struct prof_profile *profile = rendering->profile;
    uint32_t number = 0;
    for (uint32_t id = sample->stack; id != PROF_NONE;) {
        const struct prof_stack *stack = prof_profile_stack(profile, id);
        uint32_t depth = prof_profile_frame_depth(profile, stack->frame);
        for (uint32_t i = 0; i < depth; i++) {
            struct exp_frame frame;
            if (!exp_frames_line(
                    rendering->frames, process_of(rendering, sample),
                    stack->frame, i, &frame)) {
                exp_writer_fail(writer, STATUS_NO_MEMORY);
                return;
            }
            exp_write_format(writer, "  #%-3" PRIu32 " ", number++);
            exp_write_text(
                writer, exp_frames_text(rendering->frames, frame.name));
            if (frame.is_inlined)
                exp_write_text(writer, " (inlined)");
            write_place(rendering, &frame);
            exp_write_char(writer, '\n');
        }
        id = stack->parent;
    }
    if (sample->stack == PROF_NONE)
        exp_write_text(writer, "  (its stack could not be seen)\n");
    else if (!is_complete(sample))
        exp_write_text(writer, "  (the outermost frames are missing)\n");
}

static bool is_alike(
    const struct rendering *rendering, const struct prof_sample *a,
    const struct prof_sample *b)
{
    return a->stack == b->stack && a->state == b->state &&
           a->flags == b->flags &&
           process_of(rendering, a) == process_of(rendering, b);
}

static void write_thread_name(
    struct rendering *rendering, const struct prof_sample *sample)
{
    const struct prof_thread *thread =
        prof_profile_thread(rendering->profile, sample->thread);
    const char *name = text_of(rendering, thread->name);
    exp_write_format(
        rendering->writer, *name ? "%" PRIu32 " " : "%" PRIu32, thread->tid);
    exp_write_clean(rendering->writer, name);
}

/* Of those that stand alike: more are a number. */
enum { NAMED_MAX = 12 };

/* The threads from `first` on that are like it; each is marked. */
static void write_group(
    struct rendering *rendering, uint32_t first, bool *is_written)
{
    const struct prof_profile *profile = rendering->profile;
    struct exp_writer *writer = rendering->writer;
    const struct prof_sample *sample = prof_profile_sample(profile, first);
    uint32_t samples = prof_profile_sample_count(profile), alike = 0;
    for (uint32_t id = first; id < samples; id++)
        alike += is_alike(rendering, sample, prof_profile_sample(profile, id));

    const char *state = prof_state_text(sample->state);
    if (alike > 1)
        exp_write_format(writer, "\n%" PRIu32 " threads, %s: ", alike, state);
    else
        exp_write_text(writer, "\nthread ");
    uint32_t named = 0;
    for (uint32_t id = first; id < samples; id++) {
        const struct prof_sample *other = prof_profile_sample(profile, id);
        if (!is_alike(rendering, sample, other))
            continue;
        is_written[id] = true;
        if (named == NAMED_MAX)
            continue;
        if (named++ > 0)
            exp_write_text(writer, ", ");
        write_thread_name(rendering, other);
    }
    if (alike > named)
        exp_write_format(writer, " and %" PRIu32 " more", alike - named);
    if (alike == 1)
        exp_write_format(writer, ", %s", state);
    exp_write_char(writer, '\n');
    write_stack(rendering, sample);
}

static uint32_t threads_of(const struct rendering *rendering, uint32_t process)
{
    const struct prof_profile *profile = rendering->profile;
    uint32_t count = 0;
    for (uint32_t id = 0; id < prof_profile_sample_count(profile); id++)
        count +=
            process_of(rendering, prof_profile_sample(profile, id)) == process;
    return count;
}

static void write_process(
    struct rendering *rendering, uint32_t id, bool *is_written)
{
    const struct prof_profile *profile = rendering->profile;
    const struct prof_process *process = prof_profile_process(profile, id);
    struct exp_writer *writer = rendering->writer;
    uint32_t threads = threads_of(rendering, id);
    if (id > 0)
        exp_write_char(writer, '\n');
    exp_write_clean(writer, text_of(rendering, process->name));
    exp_write_format(
        writer, ", process %" PRIu32 ", %" PRIu32 " thread%s\n", process->pid,
        threads, threads == 1 ? "" : "s");
    for (uint32_t i = 0; i < prof_profile_sample_count(profile); i++) {
        if (!is_written[i] &&
            process_of(rendering, prof_profile_sample(profile, i)) == id)
            write_group(rendering, i, is_written);
    }
}

static void write_cost(
    struct exp_writer *writer, const struct exp_stacks_cost *cost)
{
    char time[EXP_TEXT_VALUE_BYTES];
    if (cost->hold_count == 0)
        return;
    (void)exp_text_value(cost->longest_hold_ns, "nanoseconds", time);
    if (cost->hold_count == 1)
        exp_write_format(writer, "\n1 thread was stopped, for %s\n", time);
    else
        exp_write_format(
            writer, "\n%" PRIu32 " threads were stopped, for %s at most\n",
            cost->hold_count, time);
}

/* ---- JSON ---- */

/* Where a native frame's code runs in a process; 0: unknown. */
static uint64_t address_of(
    const struct prof_profile *profile, uint32_t process,
    const struct prof_frame *frame)
{
    if (frame->kind != PROF_FRAME_NATIVE)
        return 0;
    for (uint32_t i = 0; i < prof_profile_mapping_count(profile); i++) {
        const struct prof_mapping *mapping = prof_profile_mapping(profile, i);
        if (mapping->process == process && mapping->module == frame->module &&
            frame->offset - mapping->offset < mapping->end - mapping->start)
            return frame->offset - mapping->offset + mapping->start;
    }
    return 0;
}

static void json_line(
    struct rendering *rendering, uint32_t process, uint32_t id, uint32_t index)
{
    const struct prof_profile *profile = rendering->profile;
    const struct prof_frame *row = prof_profile_frame(profile, id);
    struct exp_json *json = &rendering->json;
    struct exp_frame frame;
    if (!exp_frames_line(rendering->frames, process, id, index, &frame)) {
        exp_writer_fail(rendering->writer, STATUS_NO_MEMORY);
        return;
    }
    uint32_t module = 0, column = 0;
    if (frame.module != PROF_NONE)
        module = prof_profile_module(profile, frame.module)->path;
    if (index < row->line_count)
        column = prof_profile_line(profile, row->first_line + index)->column;
    exp_json_begin_object(json);
    exp_json_member_string(
        json, "function", exp_frames_text(rendering->frames, frame.name));
    exp_json_member_string(json, "kind", exp_kind_text(frame.kind));
    exp_json_member_string(json, "module", text_of(rendering, module));
    exp_json_member_string(json, "file", text_of(rendering, frame.file));
    exp_json_member_u64(json, "line", frame.line);
    exp_json_member_u64(json, "column", column);
    exp_json_member_u64(json, "address", address_of(profile, process, row));
    exp_json_member_bool(json, "is_inlined", frame.is_inlined);
    exp_json_end(json);
}

static void json_thread(
    struct rendering *rendering, const struct prof_sample *sample)
{
    const struct prof_profile *profile = rendering->profile;
    const struct prof_thread *thread =
        prof_profile_thread(profile, sample->thread);
    struct exp_json *json = &rendering->json;
    exp_json_begin_object(json);
    exp_json_member_u64(json, "tid", thread->tid);
    exp_json_member_string(json, "name", text_of(rendering, thread->name));
    exp_json_member_string(json, "state", prof_state_text(sample->state));
    exp_json_member_bool(json, "is_complete", is_complete(sample));
    exp_json_key(json, "frames");
    exp_json_begin_array(json);
    for (uint32_t id = sample->stack; id != PROF_NONE;) {
        const struct prof_stack *stack = prof_profile_stack(profile, id);
        uint32_t depth = prof_profile_frame_depth(profile, stack->frame);
        for (uint32_t i = 0; i < depth; i++)
            json_line(rendering, thread->process, stack->frame, i);
        id = stack->parent;
    }
    exp_json_end(json);
    exp_json_end(json);
}

static void json_process(struct rendering *rendering, uint32_t id)
{
    const struct prof_profile *profile = rendering->profile;
    const struct prof_process *process = prof_profile_process(profile, id);
    struct exp_json *json = &rendering->json;
    exp_json_begin_object(json);
    exp_json_member_u64(json, "pid", process->pid);
    exp_json_member_string(json, "name", text_of(rendering, process->name));
    exp_json_member_string(json, "path", text_of(rendering, process->path));
    exp_json_key(json, "threads");
    exp_json_begin_array(json);
    for (uint32_t i = 0; i < prof_profile_sample_count(profile); i++) {
        const struct prof_sample *sample = prof_profile_sample(profile, i);
        if (process_of(rendering, sample) == id)
            json_thread(rendering, sample);
    }
    exp_json_end(json);
    exp_json_end(json);
}

/* ---- both ---- */

void exp_stacks_write_text(
    const struct prof_profile *profile, const struct exp_stacks_cost *cost,
    struct exp_writer *writer)
{
    struct rendering rendering = {
        .profile = profile,
        .frames = exp_frames_create(profile),
        .writer = writer};
    bool *is_written = calloc(
        (size_t)prof_profile_sample_count(profile) + 1, sizeof *is_written);
    if (rendering.frames == NULL || is_written == NULL) {
        exp_writer_fail(writer, STATUS_NO_MEMORY);
    } else {
        for (uint32_t id = 0; id < prof_profile_process_count(profile); id++)
            write_process(&rendering, id, is_written);
        write_cost(writer, cost);
    }
    free(is_written);
    exp_frames_destroy(rendering.frames);
}

void exp_stacks_write_json(
    const struct prof_profile *profile, const struct exp_stacks_cost *cost,
    struct exp_writer *writer)
{
    struct rendering rendering = {
        .profile = profile,
        .frames = exp_frames_create(profile),
        .writer = writer,
        .json = exp_json_init(writer, EXP_JSON_INDENTED)};
    if (rendering.frames == NULL) {
        exp_writer_fail(writer, STATUS_NO_MEMORY);
        return;
    }
    exp_json_begin_object(&rendering.json);
    exp_json_member_u64(&rendering.json, "version", 1);
    exp_json_key(&rendering.json, "holds");
    exp_json_begin_object(&rendering.json);
    exp_json_member_u64(&rendering.json, "count", cost->hold_count);
    exp_json_member_u64(&rendering.json, "longest_ns", cost->longest_hold_ns);
    exp_json_end(&rendering.json);
    exp_json_key(&rendering.json, "processes");
    exp_json_begin_array(&rendering.json);
    for (uint32_t id = 0; id < prof_profile_process_count(profile); id++)
        json_process(&rendering, id);
    exp_json_end(&rendering.json);
    exp_json_end(&rendering.json);
    exp_write_char(writer, '\n');
    exp_frames_destroy(rendering.frames);
}
