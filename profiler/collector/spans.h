/* What a program says of its own work, taken out of its ring. */
#ifndef PROFILER_COLLECTOR_SPANS_H
#define PROFILER_COLLECTOR_SPANS_H

#include <stdint.h>

#include "profiler/model/span.h"
#include "profiler/wire/record.h"

struct prof_target;

/* Pass a record of type WIRE_SPAN on; a malformed one is counted. */
void prof_spans_take(
    struct prof_target *target, const struct wire_span *record, uint32_t bytes);

/* Tell how many transactions were not sampled since the last time. */
void prof_spans_count_unsampled(struct prof_target *target);

#endif
