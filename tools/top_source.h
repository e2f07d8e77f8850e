/*
 * Where the samples of watchfire top come from: perf events, or, where those
 * are refused, stops of the threads (profiler/tap/). No agent is brought in for
 * a look that may end at any key.
 */
#ifndef TOOLS_TOP_SOURCE_H
#define TOOLS_TOP_SOURCE_H

#include "profiler/tap/stops.h"
#include "profiler/tap/tap.h"
#include "tools/process_list.h"

struct top_source {
    struct prof_tap *tap; /* one of the two; neither: not begun */
    struct prof_stops *stops;
};

/*
 * Watch the processes and what they start, in the best way that is open to all
 * of them.
 *
 *   errors  why the process cannot be reached, or, where it can be, why there
 *           are no perf events
 */
MUST_CHECK enum status top_source_begin(
    struct top_source *source, struct prof_profile *profile, uint64_t period_ns,
    const struct process_list *processes, struct diag *diag);
void top_source_end(struct top_source *source);

/* As those of a tap: readable, and at the latest after so long (-1: never). */
int top_source_fd(const struct top_source *source);
int top_source_wait_ms(const struct top_source *source);
void top_source_run(struct top_source *source);
bool top_source_is_over(const struct top_source *source);

/* What is to be known of the way; "" when there is nothing. */
const char *top_source_remark(const struct top_source *source);

#endif
