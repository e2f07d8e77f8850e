/*
 * The formats a profile can be written in, and how a name selects one.
 *
 * A new format is one new file and one row of the table in format.c. A row
 * without a write function belongs to another room: `watchfire.data` is made
 * while recording, so the tools dispatch on EXP_FORMAT_DATA themselves.
 */
#ifndef EXPORTERS_FORMAT_H
#define EXPORTERS_FORMAT_H

#include <stddef.h>

#include "exporters/options.h"
#include "profiler/base/status.h"

struct exp_writer;
struct prof_profile;

/* Write a whole profile; any failure is left in the writer. */
typedef void exp_format_write(
    const struct prof_profile *profile, const struct exp_options *options,
    struct exp_writer *writer);

enum exp_format_id {
    EXP_FORMAT_DATA,
    EXP_FORMAT_FOLDED,
    EXP_FORMAT_SVG,
    EXP_FORMAT_ENVELOPE,
};

struct exp_format {
    enum exp_format_id id;
    const char *name;        /* for -f: "svg" */
    const char *extension;   /* with its dot: ".svg" */
    const char *summary;     /* a few words for a help text */
    exp_format_write *write; /* NULL: written by another room */
};

/* All formats, in the order a help text shows them. */
const struct exp_format *exp_format_list(size_t *count);

/*
 * The format that the end of `path` selects; the longest extension wins.
 * STATUS_USAGE lists the known ones in `diag`.
 */
MUST_CHECK enum status exp_format_by_path(
    const struct exp_format **format, const char *path, struct diag *diag);

/* The format called `name`, as given to -f; with or without a dot. */
MUST_CHECK enum status exp_format_by_name(
    const struct exp_format **format, const char *name, struct diag *diag);

/*
 * Write `profile` to `path`, whole or not at all (exporters/output.h). The
 * format must have a write function.
 */
MUST_CHECK enum status exp_format_save(
    const struct exp_format *format, const struct prof_profile *profile,
    const struct exp_options *options, const char *path, struct diag *diag);

#endif
