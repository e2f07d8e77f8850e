/*
 * A format that a profile can be written in.
 *
 * One without a write function belongs to another room: `watchfire.data` is
 * made while recording, so the tools dispatch on EXP_FORMAT_DATA themselves.
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

/*
 * Write `profile` to `path`, whole or not at all (exporters/output.h). The
 * format must have a write function.
 */
MUST_CHECK enum status exp_format_save(
    const struct exp_format *format, const struct prof_profile *profile,
    const struct exp_options *options, const char *path, struct diag *diag);

#endif
