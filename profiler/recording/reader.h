/*
 * Any recording -> a profile. The format is told by content, never by name.
 *
 * The input is hostile until proven otherwise: every size is checked, memory
 * is bounded by a multiple of the input, and a truncated file gives what can
 * be read of it.
 */
#ifndef PROFILER_RECORDING_READER_H
#define PROFILER_RECORDING_READER_H

#include "profiler/base/status.h"
#include "profiler/model/profile.h"

/*
 * Read the file `path`, or standard input when it is "-".
 *
 *   profile  empty before; after a failure it may hold a part
 *   diag     on success too: `text` holds remarks for a person (the file is
 *            truncated, an event was left out, ...) or is empty
 *   fails    SYSTEM, NO_MEMORY; UNSUPPORTED: another format, another byte
 *            order; MALFORMED: breaks the rules of its format; LIMIT
 */
MUST_CHECK enum status prof_recording_read(
    const char *path, struct prof_profile *profile, struct diag *diag);

#endif
