/*
 * What must be brought to its end once begun, while a user may kill the command
 * at any moment: it is done by a process made for it, in a session of its own,
 * which runs before all others where that is permitted.
 */
#ifndef PROFILER_ATTACH_APART_H
#define PROFILER_ATTACH_APART_H

#include <stddef.h>

#include "profiler/base/status.h"

/* The work, on a copy of the caller's memory; only `result` comes back. */
typedef enum status prof_apart_work(
    void *owner, void *result, struct diag *diag);

/*
 * Do it.
 *
 *   result  what the process has written there, whatever its status
 *   errors  those of `work`; SYSTEM: no process, or it died
 */
MUST_CHECK enum status prof_apart_run(
    prof_apart_work *work, void *owner, void *result, size_t bytes,
    struct diag *diag);

#endif
