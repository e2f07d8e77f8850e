/*
 * The files a command leaves: named by -o, in the format that the extension
 * or -f selects, each whole under its final name or not there at all.
 *
 * A `.data` output grows beside its final name, as NAME.partial, while the
 * recording runs, so that a crash or a full disk leaves a readable one.
 */
#ifndef TOOLS_OUTPUTS_H
#define TOOLS_OUTPUTS_H

#include <stdbool.h>
#include <stddef.h>

#include "exporters/format.h"
#include "exporters/options.h"
#include "profiler/model/profile.h"
#include "profiler/recording/perf_writer.h"

#define OUTPUTS_MAX 16

struct output {
    const char *path; /* borrowed from the command line */
    const struct exp_format *format;
    struct prof_recording *recording; /* of a .data output, while it grows */
    char *partial_path;               /* of the same; owned */
    struct diag failure;              /* STATUS_OK: none so far */
};

struct outputs {
    struct output rows[OUTPUTS_MAX];
    size_t count;
    struct exp_options options;
};

/* Add -o PATH; `format_name` is -f, or NULL. */
MUST_CHECK enum status outputs_add(
    struct outputs *outputs, const char *path, const char *format_name,
    struct diag *diag);

/*
 * Find out before the work starts whether every output can be written, and
 * begin the recordings. On failure nothing is left behind.
 */
MUST_CHECK enum status outputs_begin(
    struct outputs *outputs, struct diag *diag);

/*
 * Bring the recordings up to the profile; a failure is kept for the end.
 * Whether they all have what the profile has.
 */
bool outputs_sync(struct outputs *outputs, const struct prof_profile *profile);

/* Whether samples that were summed would be too little for an output. */
bool outputs_want_times(const struct outputs *outputs);

/* Whether an output has room for what the processes use. */
bool outputs_want_readings(const struct outputs *outputs);

/*
 * Write what there is so far, except where a recording grows: each output is
 * replaced, or left as it is when that fails.
 */
void outputs_write_interim(
    const struct outputs *outputs, const struct prof_profile *profile);

/*
 * Write everything and give it its final name. Each failure is said once, by
 * `report`; the number of failed outputs is returned.
 */
size_t outputs_finish(
    struct outputs *outputs, const struct prof_profile *profile,
    void (*report)(void *context, const struct diag *diag), void *context);

/* Drop what was begun. */
void outputs_abandon(struct outputs *outputs);

#endif
