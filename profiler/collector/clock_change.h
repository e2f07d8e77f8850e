/*
 * From perf events to CPU-clock timers, while the process runs (wire/
 * header.h, CHANGE). A timer on a thread's clock can only be made by its
 * process: on each thread an event is opened that expires once, when next the
 * thread runs, for which its handler makes the timer. A thread that sleeps
 * keeps the event until it is woken; one that has expired is closed, since even
 * so it costs half a microsecond a switch.
 */
#ifndef PROFILER_COLLECTOR_CLOCK_CHANGE_H
#define PROFILER_COLLECTOR_CLOCK_CHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/table.h"

struct prof_clock_change {
    uint32_t pid;
    struct table events; /* that have not been seen to expire */
    uint32_t retries;    /* that are left, where threads had no event */
};

void prof_clock_change_init(struct prof_clock_change *change, uint32_t pid);
void prof_clock_change_fini(struct prof_clock_change *change);

/*
 * Open events on all threads; they sleep until prof_clock_change_start().
 * False when there is none.
 */
bool prof_clock_change_open(struct prof_clock_change *change);
void prof_clock_change_start(struct prof_clock_change *change);

/* Now and then: close what has expired, and open what could not be. */
void prof_clock_change_tend(struct prof_clock_change *change);

#endif
