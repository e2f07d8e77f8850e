/*
 * Waits that have no time limit, and have not done a part of their work yet: a
 * thread in one may be held for a moment, and nobody can tell.
 *
 * What the call itself does not say is asked of its descriptor: reading from a
 * socket has a limit when SO_RCVTIMEO is set, which makes the kernel end an
 * interrupted call with EINTR (signal(7)).
 */
#ifndef PROFILER_ATTACH_UNTIMED_H
#define PROFILER_ATTACH_UNTIMED_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/attach/held_call.h"

/* Whether the process `pid` sleeps in such a call. */
bool prof_call_is_untimed(uint32_t pid, const struct prof_held_call *call);

#endif
