/* A crash on its way to a Sentry backend. */
#ifndef TOOLS_CRASH_SEND_H
#define TOOLS_CRASH_SEND_H

#include "profiler/model/crash.h"
#include "tools/reporting.h"

/*
 * Put the event into the spool, with the session's end where it was the
 * program's first process that crashed; or only that, when the same crash was
 * sent a moment ago.
 *
 *   profile   of the session: it may give the release its name
 *   is_first  whether it is the program's first process
 */
void crash_send(
    struct reporting *reporting, const struct prof_profile *profile,
    bool is_first, const struct prof_crash *crash);

#endif
