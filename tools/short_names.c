/* Going through the names of a profile. */
#include "tools/short_names.h"

#include <string.h>

#include "profiler/base/table.h"
#include "symbolizer/demangle.h"

/* The short form of a name, which is often the name. */
static uint32_t shortened(struct prof_profile *profile, uint32_t name)
{
    char text[SYM_DEMANGLED_BYTES];
    const char *whole = prof_profile_text(profile, name);
    if (strchr(whole, '<') == NULL || strlen(whole) >= sizeof text)
        return name;
    (void)strcpy(text, whole);
    sym_demangled_shorten(text);
    return prof_profile_string(profile, text);
}

static void shorten_frame(
    struct prof_profile *profile, uint32_t id, struct table *lines)
{
    struct prof_frame frame = *prof_profile_frame(profile, id);
    bool is_changed = false;
    lines->count = 0;
    for (uint32_t i = 0; i < frame.line_count; i++) {
        struct prof_line line =
            *prof_profile_line(profile, frame.first_line + i);
        uint32_t name = shortened(profile, line.function);
        is_changed |= name != line.function;
        line.function = name;
        if (table_add(lines, &line) == TABLE_NONE)
            return; /* it stays as it is */
    }
    if (is_changed)
        prof_profile_set_lines(profile, id, lines->rows, lines->count);
}

void shorten_names(struct prof_profile *profile)
{
    struct table lines = {.row_bytes = sizeof(struct prof_line)};
    uint32_t count = prof_profile_frame_count(profile);
    for (uint32_t id = 0; id < count; id++) {
        const struct prof_frame *frame = prof_profile_frame(profile, id);
        if (frame->kind == PROF_FRAME_NATIVE &&
            prof_profile_module(profile, frame->module)->kind ==
                PROF_MODULE_FILE)
            shorten_frame(profile, id, &lines);
    }
    table_fini(&lines);
}
