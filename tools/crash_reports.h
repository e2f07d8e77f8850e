/*
 * What is made of a crash that the collector tells of: names for its frames, a
 * line for a person, which is a note of the recording, and an event, for a
 * Sentry backend and for a file.
 */
#ifndef TOOLS_CRASH_REPORTS_H
#define TOOLS_CRASH_REPORTS_H

#include "profiler/collector/collector.h"
#include "tools/last_crash.h"
#include "tools/session.h"

#define CRASH_REPORTS_PATTERN "watchfire.%e.%p.crash.json"

struct crash_reports {
    struct session *session; /* borrowed; begun before the first crash */
    const char *pattern;     /* of the files' names (pattern.h); NULL: none */
    uint32_t count;          /* so far */

    /* How the session ends, as far as its first process is concerned, if that
       is not told of as a crash: in good order, or by a hand from outside. */
    enum exp_session_status status;
    struct last_crash last; /* of the others */
};

/*
 * Have the collector tell of crashes, if those are wanted: by the options, or
 * as the session reports to a Sentry backend.
 */
void crash_reports_ask(
    struct crash_reports *reports, struct session *session,
    struct prof_collector_options *options);

/*
 * How the session ends, whose first process ended like that: by a crash of
 * another one, if there was nothing else after it.
 */
enum exp_session_status crash_reports_session_status(
    const struct crash_reports *reports, enum exp_session_status status);

/*
 * One line for a person: what happened, and where in the program's own code.
 * Never more than the buffer.
 */
void crash_describe(const struct prof_crash *crash, char *text, size_t bytes);

#endif
