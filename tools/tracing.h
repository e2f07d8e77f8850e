/*
 * The transactions that a session reports to a Sentry backend: those that a
 * program tells of by watchfire.h, and one for the whole run of the process,
 * with no change to it (SENTRY_TRACES_SAMPLE_RATE).
 *
 * With SENTRY_PROFILE_LIFECYCLE=trace, profiles are reported only while one of
 * the former is open, under a new profiler_id each time. It is looked at
 * between two drains, so a little from after it comes along. Sampling rests in
 * between, unless a file wants samples, a moment after the last has ended: a
 * server that has one after the other is not put to rest and roused all the
 * time.
 */
#ifndef TOOLS_TRACING_H
#define TOOLS_TRACING_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/model/profile.h"
#include "profiler/model/span.h"
#include "tools/reporting_model.h"

/*
 * Reports have begun: have the collector tell of spans.
 *
 *   options  of the collector that is made next
 */
void tracing_begin(
    struct reporting *reporting, struct prof_span_options *options);

/*
 * The program has ended: what was open is over, and the process as well.
 *
 *   has_crashed  which is its status where the exit is not known
 */
void tracing_end(
    struct reporting *reporting, const struct prof_profile *profile,
    bool has_crashed);

/*
 * Between two drains: whether samples are to be reported just now. Those that
 * are not are passed over.
 */
bool tracing_wants_profile(
    struct reporting *reporting, struct prof_profile *profile, uint64_t now_ns);

/* Whether samples are of no use until the next one starts. */
bool tracing_may_rest(const struct reporting *reporting);

/* And whether there may be some at the end. */
bool tracing_has_profile(const struct reporting *reporting);

/* Between two drains: count what was lost. */
void tracing_tend(struct reporting *reporting);

#endif
