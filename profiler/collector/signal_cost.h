/*
 * What one sample costs besides the handler: the timer's interrupt, and the
 * signal's way into the handler and back. Measured on the calling thread, in
 * some milliseconds.
 */
#ifndef PROFILER_COLLECTOR_SIGNAL_COST_H
#define PROFILER_COLLECTOR_SIGNAL_COST_H

#include <stdint.h>

#include "profiler/collector/perf_clock.h"

struct prof_signal_cost {
    uint64_t signal_ns;    /* a signal with a handler that does nothing */
    uint64_t interrupt_ns; /* of the perf event; 0 without */
};

/* Takes SIGTRAP for as long as it runs. */
struct prof_signal_cost prof_signal_cost_measure(enum prof_clock_mode mode);

#endif
