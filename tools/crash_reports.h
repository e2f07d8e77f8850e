/*
 * What is made of a crash that the collector tells of: names for its frames,
 * and a line for a person, which is a note of the recording.
 */
#ifndef TOOLS_CRASH_REPORTS_H
#define TOOLS_CRASH_REPORTS_H

#include "profiler/collector/collector.h"
#include "tools/session.h"

struct crash_reports {
    struct session *session; /* borrowed; begun before the first crash */
    uint32_t count;
};

/* Have the collector tell of crashes, and of exits if those are wanted. */
void crash_reports_ask(
    struct crash_reports *reports, struct session *session,
    struct prof_collector_options *options);

#endif
