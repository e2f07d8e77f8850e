/*
 * When the kernel's ticks are: they come at one phase of CLOCK_MONOTONIC on all
 * processors. A CPU-clock timer is looked at in a tick, and its signal is
 * delivered when the thread is next in user mode: at once, or at the end of a
 * long call. Those that came at once tell the phase.
 *
 * A kernel booted with skew_tick=1 spreads the processors' ticks over half of
 * one. No sample tells its processor, and a thread changes it at will, so there
 * the phase stays unknown, and calls keep what they used since their tick.
 */
#ifndef PROFILER_COLLECTOR_TICK_PHASE_H
#define PROFILER_COLLECTOR_TICK_PHASE_H

#include <stdbool.h>
#include <stdint.h>

struct prof_tick_phase {
    uint64_t tick_ns;
    uint64_t phase_ns, latest_ns; /* of two that agreed; of the latest one */
    bool is_known, is_seen, is_skewed;
};

/* `boot` is the kernel's command line. */
void prof_tick_phase_init(
    struct prof_tick_phase *phase, uint64_t tick_ns, const char *boot);

/* A signal of a tick has found its thread in user mode. */
void prof_tick_phase_note(struct prof_tick_phase *phase, uint64_t time_ns);

/* How long after a tick this is; 0 while that is not known. */
uint64_t prof_tick_phase_since_ns(
    const struct prof_tick_phase *phase, uint64_t time_ns);

#endif
