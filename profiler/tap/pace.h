/*
 * When the rings are looked at: by a clock of ours, though the kernel would
 * wake us. It does that in the middle of a sample, by an interrupt to itself
 * and a message to our processor, and the thread that is sampled pays. Seldom
 * enough to cost little, and soon, for the outer part of a stack that is deeper
 * than its copy is read from where it is; more and more seldom where nothing
 * comes. A ring that is half full wakes us all the same.
 */
#ifndef PROFILER_TAP_PACE_H
#define PROFILER_TAP_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct prof_tap_pace {
    int least_ms;
    int wait_ms; /* from a look until the next */
};

/* A look sooner than after a period would find nothing. */
void prof_tap_pace_begin(struct prof_tap_pace *pace, uint64_t period_ns);

/* A look has found records, or none. */
void prof_tap_pace_note(struct prof_tap_pace *pace, bool has_found);

#endif
