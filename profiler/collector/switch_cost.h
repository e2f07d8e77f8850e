/*
 * What a switch costs a thread that has a perf event: the kernel cancels the
 * event's timer and arms it again, unless the next thread has an event of the
 * same origin (perf_clock.h). Measured by two threads of ours that wake one
 * another, for some 40 ms; nothing else shows it.
 */
#ifndef PROFILER_COLLECTOR_SWITCH_COST_H
#define PROFILER_COLLECTOR_SWITCH_COST_H

#include <stdint.h>

#include "profiler/collector/perf_clock.h"

/*
 * Nanoseconds of its CPU time each time that it is put on a processor; 0: not
 * known. With a period well above the kernel's tick it is less: then the tick
 * is the next to expire. Takes SIGTRAP for as long as it runs.
 */
uint64_t prof_switch_cost_measure_ns(
    enum prof_clock_mode mode, uint64_t period_ns);

#endif
