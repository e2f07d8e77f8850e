/*
 * The formats a profile can be written in, and how a name selects one. A new
 * one is one new file and one row of the table in formats.c.
 */
#ifndef EXPORTERS_FORMATS_H
#define EXPORTERS_FORMATS_H

#include <stddef.h>

#include "exporters/format.h"
#include "profiler/base/status.h"

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

#endif
