/* The formats a profile can be written in. */
#include "exporters/formats.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "exporters/folded.h"
#include "exporters/sentry/chunk_file.h"
#include "exporters/svg.h"

static const struct exp_format formats[] = {
    {EXP_FORMAT_DATA, "data", ".data", "perf.data, for perf and hotspot", NULL},
    {EXP_FORMAT_FOLDED, "folded", ".folded", "one line per stack",
     exp_folded_write},
    {EXP_FORMAT_SVG, "svg", ".svg", "interactive flame graph", exp_svg_write},
    {EXP_FORMAT_ENVELOPE, "envelope", ".envelope", "profile chunks for Sentry",
     exp_chunk_file_write},
};
enum { FORMAT_COUNT = sizeof formats / sizeof formats[0] };

const struct exp_format *exp_format_list(size_t *count)
{
    *count = FORMAT_COUNT;
    return formats;
}

static bool ends_with(const char *text, const char *end)
{
    size_t text_bytes = strlen(text);
    size_t end_bytes = strlen(end);
    return text_bytes >= end_bytes &&
           strcmp(text + text_bytes - end_bytes, end) == 0;
}

/* "EXTENSION, EXTENSION or EXTENSION", without the dots for a name. */
static const char *known(bool with_dots, char *text, size_t bytes)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < FORMAT_COUNT && used < bytes; i++) {
        const char *before = i == 0 ? "" : i + 1 < FORMAT_COUNT ? ", " : " or ";
        used += (size_t)snprintf(
            text + used, bytes - used, "%s%s", before,
            with_dots ? formats[i].extension : formats[i].name);
    }
    return text;
}

enum status exp_format_by_path(
    const struct exp_format **format, const char *path, struct diag *diag)
{
    const struct exp_format *best = NULL;
    for (size_t i = 0; i < FORMAT_COUNT; i++) {
        const char *extension = formats[i].extension;
        if (ends_with(path, extension) &&
            (best == NULL || strlen(extension) > strlen(best->extension)))
            best = &formats[i];
    }
    if (best == NULL) {
        char list[256];
        return fail(
            diag, STATUS_USAGE,
            "no format is known by the name '%s': end it in %s, or give "
            "one with -f",
            path, known(true, list, sizeof list));
    }
    *format = best;
    return STATUS_OK;
}

enum status exp_format_by_name(
    const struct exp_format **format, const char *name, struct diag *diag)
{
    for (size_t i = 0; i < FORMAT_COUNT; i++) {
        if (strcmp(name, formats[i].name) == 0 ||
            strcmp(name, formats[i].extension) == 0) {
            *format = &formats[i];
            return STATUS_OK;
        }
    }
    char list[256];
    return fail(
        diag, STATUS_USAGE, "unknown format '%s': use %s", name,
        known(false, list, sizeof list));
}
