/*
 * How a handler knows that a signal is of our making: sig_data of a perf event,
 * value of a timer.
 */
#ifndef PROFILER_WIRE_COOKIE_H
#define PROFILER_WIRE_COOKIE_H

#include <stdint.h>

/*
 * Constant, because the first may arrive before the reply that would bring it,
 * but for its lowest byte. That is the generation of a perf event: the threads
 * made later inherit it with the event, so that every sample tells by which
 * period it was taken.
 */
#define WIRE_COOKIE          UINT64_C(0x5761746368666900)
#define WIRE_GENERATION_MASK UINT64_C(0xff)

/* Of a timer that came for a perf event, and of the event that brings it. */
#define WIRE_CHANGED_COOKIE  (WIRE_COOKIE | 1)
#define WIRE_CHANGE_COOKIE   UINT64_C(0x5761746368666a00)

#endif
