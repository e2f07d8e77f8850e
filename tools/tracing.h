/*
 * The transactions that a session reports to a Sentry backend: those that a
 * program tells of by watchfire.h, and one for the whole run of the process,
 * with no change to it (SENTRY_TRACES_SAMPLE_RATE).
 */
#ifndef TOOLS_TRACING_H
#define TOOLS_TRACING_H

#include <stdbool.h>
#include <stdint.h>

#include "exporters/sentry/keeper.h"
#include "exporters/sentry/traces.h"
#include "profiler/profile.h"

struct reporting;

struct tracing {
    struct exp_traces *traces; /* NULL: nothing is reported */
    struct exp_keeper *keeper;
    bool is_process_drawn; /* the whole run is one of the sampled ones */
    bool is_exit_known;
    int exit_code; /* of the program, or 128 and its signal */
    uint64_t lost; /* of `traces`, as far as it was counted */
};

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

/* Between two drains: count what was lost. */
void tracing_tend(struct reporting *reporting);

#endif
