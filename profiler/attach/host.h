/*
 * The thread of a process that is borrowed (remote.h): one that sleeps in a
 * call which the kernel takes up again with the time that is left, and if
 * possible has no limit; when a while has brought none, one that runs.
 */
#ifndef PROFILER_ATTACH_HOST_H
#define PROFILER_ATTACH_HOST_H

#include <stdint.h>

#include "profiler/attach/identity.h"
#include "profiler/attach/remote.h"
#include "profiler/base/status.h"

/*
 * Borrow a thread of the process `pid`, until prof_remote_end().
 *
 *   identity     whom that number stood for when it was judged
 *   patience_ns  for how long to look for one
 *   errors  GONE; NOT_PERMITTED: ptrace(2) is refused; LIMIT: none came to a
 *           safe point in time. Then nothing has been done to it
 */
MUST_CHECK enum status prof_host_borrow(
    uint32_t pid, const struct prof_identity *identity, uint64_t patience_ns,
    struct prof_remote *remote, struct diag *diag);

#endif
