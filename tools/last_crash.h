/*
 * The last crash of a session that was not of its first process: whether it was
 * the session's end as well. A daemon is what its first process has left
 * behind, and behind a shell the program comes second; but a server starts a
 * worker anew, and goes on.
 *
 * It was the end when no process has begun after it, and all that were left
 * ended within some seconds and were waiting for it: its ancestors.
 */
#ifndef TOOLS_LAST_CRASH_H
#define TOOLS_LAST_CRASH_H

#include <stdbool.h>
#include <stdint.h>

#include "exporters/sentry/session.h"
#include "profiler/model/profile.h"

struct last_crash {
    uint32_t pid;     /* 0: there was none */
    uint64_t time_ns; /* of CLOCK_MONOTONIC */
    enum exp_session_status status;
};

/*
 * It has crashed, or was killed.
 *
 *   time_ns  when it was taken in, with the process still there if it crashed
 *   status   how the session ends, if that was its end
 */
void last_crash_note(
    struct last_crash *last, uint32_t pid, uint64_t time_ns,
    enum exp_session_status status);

/* At the end of the session: whether that came of it. */
bool last_crash_was_the_end(
    const struct last_crash *last, const struct prof_profile *profile);

#endif
