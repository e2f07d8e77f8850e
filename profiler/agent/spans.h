/* What the program says of its own work (watchfire.h), into the ring. */
#ifndef PROFILER_AGENT_SPANS_H
#define PROFILER_AGENT_SPANS_H

#include <stdbool.h>

#include "profiler/wire/record.h"

/*
 * Whether what the program says of its spans is wanted; and write a record of
 * it. In normal context, from any thread; without a system call where the
 * thread's id can be had without. What does not fit is counted as lost.
 */
bool prof_core_takes_spans(void);
void prof_core_write_span(
    const struct wire_span *span, const char *first, const char *second);
void prof_core_count_unsampled(void);

/*
 * A transaction has started, and its record is written: wake sampling where it
 * rests until then (wire/header.h, REST). As a rule it does not, and this is
 * one load; else some 20 us of system calls, a few times a second at most.
 */
void prof_core_rouse(void);

#endif
