/*
 * Folded text -> a profile. One line is one stack: frames from the root to
 * the leaf joined by ';', one space, and a count:
 *
 *     main;parse;read_token 1200
 *
 * The first frame is the root like any other: whether it names a process is
 * the business of whoever wrote it. All samples belong to one thread of one
 * process, have no time, and one value of type "samples" in "count".
 */
#ifndef PROFILER_RECORDING_FOLDED_READER_H
#define PROFILER_RECORDING_FOLDED_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "profiler/base/status.h"
#include "profiler/model/profile.h"

/* Whether these first bytes of a file can begin folded text. */
bool prof_folded_is_folded(const char *head, size_t bytes);

/*
 * Read all of `input`; `name` is for sentences.
 *
 *   profile  empty before
 *   fails    MALFORMED with the number of the first line that is not a stack
 *            and a whole count; SYSTEM, NO_MEMORY
 */
MUST_CHECK enum status prof_folded_read(
    FILE *input, const char *name, struct prof_profile *profile,
    struct diag *diag);

#endif
