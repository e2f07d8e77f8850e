/*
 * What is made of a crash that the collector tells of: names for its frames, a
 * line for a person, which is a note of the recording, and an event, for a
 * Sentry backend and for a file.
 */
#ifndef TOOLS_CRASH_REPORTS_H
#define TOOLS_CRASH_REPORTS_H

#include "profiler/collector/collector.h"
#include "tools/session.h"

#define CRASH_REPORTS_PATTERN "watchfire.%e.%p.crash.json"

struct crash_reports {
    struct session *session; /* borrowed; begun before the first crash */
    const char *pattern;     /* of the files' names (pattern.h); NULL: none */
    uint32_t count;          /* so far */

    /* How the session of the first process ends, if it is not told of as a
       crash: in good order, or by a hand from outside. */
    enum exp_session_status status;
};

/*
 * Have the collector tell of crashes, if those are wanted: by the options, or
 * as the session reports to a Sentry backend.
 */
void crash_reports_ask(
    struct crash_reports *reports, struct session *session,
    struct prof_collector_options *options);

/*
 * One line for a person: what happened, and where in the program's own code.
 * Never more than the buffer.
 */
void crash_describe(const struct prof_crash *crash, char *text, size_t bytes);

#endif
