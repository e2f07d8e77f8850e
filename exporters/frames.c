/* Display frames: how what a profile holds is named and classed. */
#include "exporters/frames.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exporters/names.h"
#include "exporters/text.h"

enum {
    LABEL_BYTES = 512,
    COMM_LENGTH = 15, /* the kernel cuts a program's name here */
};

struct exp_frames {
    const struct prof_profile *profile;
    struct exp_names names;
    uint32_t *first_names;   /* of each frame, a row below, or TABLE_NONE */
    struct table line_names; /* uint32_t names, line by line of a frame */
};

const char *exp_kind_text(enum exp_kind kind)
{
    static const char *const texts[EXP_KIND_COUNT] = {
        [EXP_KIND_APPLICATION] = "application", [EXP_KIND_LIBRARY] = "library",
        [EXP_KIND_KERNEL] = "kernel",           [EXP_KIND_RUNTIME] = "runtime",
        [EXP_KIND_UNKNOWN] = "unknown",         [EXP_KIND_ACCOUNT] = "account",
        [EXP_KIND_PROCESS] = "process",         [EXP_KIND_THREAD] = "thread",
    };
    return texts[kind];
}

bool exp_process_is_shown(const struct prof_profile *profile, uint32_t process)
{
    const struct prof_process *row = prof_profile_process(profile, process);
    return row->pid != 0 || *prof_profile_text(profile, row->name) ||
           *prof_profile_text(profile, row->path);
}

bool exp_sample_is_account(
    const struct prof_profile *profile, const struct prof_sample *sample)
{
    if (sample->stack == PROF_NONE)
        return false;
    uint32_t frame = prof_profile_stack(profile, sample->stack)->frame;
    return prof_profile_frame(profile, frame)->kind == PROF_FRAME_ACCOUNT;
}

struct exp_frames *exp_frames_create(const struct prof_profile *profile)
{
    struct exp_frames *frames = malloc(sizeof *frames);
    if (frames == NULL)
        return NULL;
    size_t bytes =
        ((size_t)prof_profile_frame_count(profile) + 1) * sizeof(uint32_t);
    *frames = (struct exp_frames){
        .profile = profile,
        .first_names = malloc(bytes),
        .line_names = {.row_bytes = sizeof(uint32_t)}};
    exp_names_init(&frames->names);
    if (frames->first_names == NULL) {
        exp_frames_destroy(frames);
        return NULL;
    }
    memset(frames->first_names, 0xff, bytes);
    return frames;
}

void exp_frames_destroy(struct exp_frames *frames)
{
    if (frames == NULL)
        return;
    exp_names_fini(&frames->names);
    table_fini(&frames->line_names);
    free(frames->first_names);
    free(frames);
}

const char *exp_frames_text(const struct exp_frames *frames, uint32_t name)
{
    return exp_names_text(&frames->names, name);
}

uint32_t exp_frames_name_count(const struct exp_frames *frames)
{
    return frames->names.string.count;
}

bool exp_frames_named(
    struct exp_frames *frames, enum exp_kind kind, const char *name,
    struct exp_frame *out)
{
    uint32_t id = exp_names_add(&frames->names, name);
    if (id == TABLE_NONE)
        return false;
    *out = (struct exp_frame){.name = id, .kind = kind, .module = PROF_NONE};
    return true;
}

/* The kernel's name of a program, or the whole one where it was cut. */
static const char *program_name(
    const struct prof_profile *profile, const struct prof_process *process)
{
    const char *comm = prof_profile_text(profile, process->name);
    const char *file =
        exp_text_base_name(prof_profile_text(profile, process->path));
    size_t length = strlen(comm);
    bool is_cut = length == COMM_LENGTH && strncmp(file, comm, length) == 0;
    if (length > 0 && !is_cut)
        return comm;
    return *file ? file : "process";
}

bool exp_frames_process(
    struct exp_frames *frames, uint32_t process, struct exp_frame *out)
{
    const struct prof_process *row =
        prof_profile_process(frames->profile, process);
    const char *name = program_name(frames->profile, row);
    if (prof_profile_process_count(frames->profile) <= 1)
        return exp_frames_named(frames, EXP_KIND_PROCESS, name, out);

    char label[LABEL_BYTES];
    (void)snprintf(label, sizeof label, "%.255s-%" PRIu32, name, row->pid);
    return exp_frames_named(frames, EXP_KIND_PROCESS, label, out);
}

bool exp_frames_thread(
    struct exp_frames *frames, uint32_t thread, struct exp_frame *out)
{
    const struct prof_thread *row =
        prof_profile_thread(frames->profile, thread);
    const char *name = prof_profile_text(frames->profile, row->name);
    char label[LABEL_BYTES];
    (void)snprintf(
        label, sizeof label, "%.255s%s%" PRIu32, name, *name ? "-" : "",
        row->tid);
    return exp_frames_named(frames, EXP_KIND_THREAD, label, out);
}

static bool is_system_path(const char *path)
{
    static const char *const folders[] = {
        "/lib/",     "/lib32/",     "/lib64/",     "/libx32/",
        "/usr/lib/", "/usr/lib32/", "/usr/lib64/", "/usr/libx32/"};
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        if (strncmp(path, folders[i], strlen(folders[i])) == 0)
            return true;
    }
    return false;
}

bool exp_module_is_own(
    const struct prof_profile *profile, uint32_t process, uint32_t module)
{
    const struct prof_module *row = prof_profile_module(profile, module);
    return row->kind == PROF_MODULE_FILE &&
           (row->path == prof_profile_process(profile, process)->path ||
            !is_system_path(prof_profile_text(profile, row->path)));
}

static enum exp_kind native_kind(
    const struct prof_profile *profile, uint32_t process,
    const struct prof_frame *frame)
{
    const struct prof_module *module =
        prof_profile_module(profile, frame->module);
    if (module->kind == PROF_MODULE_KERNEL)
        return EXP_KIND_KERNEL;
    if (frame->line_count == 0)
        return EXP_KIND_UNKNOWN;
    if (module->kind == PROF_MODULE_VDSO)
        return EXP_KIND_LIBRARY;
    if (module->kind == PROF_MODULE_ANONYMOUS)
        return EXP_KIND_RUNTIME;
    return exp_module_is_own(profile, process, frame->module)
               ? EXP_KIND_APPLICATION
               : EXP_KIND_LIBRARY;
}

static enum exp_kind frame_kind(
    const struct prof_profile *profile, uint32_t process,
    const struct prof_frame *frame)
{
    switch (frame->kind) {
    case PROF_FRAME_NATIVE:
        return native_kind(profile, process, frame);
    case PROF_FRAME_ACCOUNT:
        return EXP_KIND_ACCOUNT;
    case PROF_FRAME_NAMED:
        break;
    }
    return EXP_KIND_RUNTIME;
}

/* Intern the names of all lines of a frame; it stands in many stacks. */
static bool intern_lines(struct exp_frames *frames, uint32_t frame)
{
    uint32_t first = frames->line_names.count;
    uint32_t count = prof_profile_frame_depth(frames->profile, frame);
    for (uint32_t index = 0; index < count; index++) {
        char buffer[LABEL_BYTES];
        uint32_t name = exp_names_add(
            &frames->names,
            prof_profile_frame_label(
                frames->profile, frame, index, buffer, sizeof buffer));
        if (name == TABLE_NONE ||
            table_add(&frames->line_names, &name) == TABLE_NONE)
            return false;
    }
    frames->first_names[frame] = first;
    return true;
}

bool exp_frames_line(
    struct exp_frames *frames, uint32_t process, uint32_t frame, uint32_t index,
    struct exp_frame *out)
{
    const struct prof_profile *profile = frames->profile;
    const struct prof_frame *row = prof_profile_frame(profile, frame);
    if (frames->first_names[frame] == TABLE_NONE &&
        !intern_lines(frames, frame))
        return false;

    uint32_t name = frames->first_names[frame] + index;
    *out = (struct exp_frame){
        .name = *(uint32_t *)table_row(&frames->line_names, name),
        .kind = frame_kind(profile, process, row),
        .module = row->kind == PROF_FRAME_NATIVE ? row->module : PROF_NONE};
    if (index < row->line_count) {
        const struct prof_line *line =
            prof_profile_line(profile, row->first_line + index);
        out->is_inlined = line->is_inlined;
        out->file = line->file;
        out->line = line->line;
    }
    return true;
}
