/* What a person reads of a profile: words for reasons, states and frames. */
#include "profiler/model/profile.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *prof_loss_text(enum prof_loss reason)
{
    static const char *const texts[PROF_LOSS_COUNT] = {
#define LOSS_TEXT(name, text) [PROF_LOSS_##name] = text,
        PROF_LOSS_LIST(LOSS_TEXT)
#undef LOSS_TEXT
    };
    return texts[reason];
}

const char *prof_state_text(enum prof_state state)
{
    static const char *const texts[PROF_STATE_COUNT] = {
#define STATE_TEXT(name, text) [PROF_STATE_##name] = text,
        PROF_STATE_LIST(STATE_TEXT)
#undef STATE_TEXT
    };
    return texts[state];
}

bool prof_state_is_off_cpu(enum prof_state state)
{
    return state >= PROF_STATE_OFF_CPU;
}

static const char *native_label(
    const struct prof_profile *profile, const struct prof_frame *frame,
    char *buffer, size_t buffer_bytes)
{
    const char *path = prof_profile_text(
        profile, prof_profile_module(profile, frame->module)->path);
    const char *slash = strrchr(path, '/');
    const char *name = slash && slash[1] ? slash + 1 : path;
    (void)snprintf(
        buffer, buffer_bytes, "[%s+0x%" PRIx64 "]", *name ? name : "unknown",
        frame->offset);
    return buffer;
}

const char *prof_profile_frame_label(
    const struct prof_profile *profile, uint32_t frame, uint32_t index,
    char *buffer, size_t buffer_bytes)
{
    const struct prof_frame *row = prof_profile_frame(profile, frame);
    if (index < row->line_count) {
        const struct prof_line *line =
            prof_profile_line(profile, row->first_line + index);
        return prof_profile_text(profile, line->function);
    }
    if (row->kind != PROF_FRAME_NATIVE)
        return prof_profile_text(profile, row->name);
    return native_label(profile, row, buffer, buffer_bytes);
}

uint32_t prof_profile_frame_depth(
    const struct prof_profile *profile, uint32_t frame)
{
    uint32_t lines = prof_profile_frame(profile, frame)->line_count;
    return lines ? lines : 1;
}
