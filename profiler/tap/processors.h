/*
 * The processors that watched threads have run on lately. They are looked at in
 * turns; one on which nobody was seen for a second is left out.
 */
#ifndef PROFILER_TAP_PROCESSORS_H
#define PROFILER_TAP_PROCESSORS_H

#include <stdint.h>

/* Threads on others are not sampled. */
#define PROF_PROCESSORS_MOST 1024

struct prof_processors {
    uint64_t seen_ns[PROF_PROCESSORS_MOST]; /* 0: never */
    uint32_t last;
};

/* Somebody was seen on it. */
void prof_processors_note(
    struct prof_processors *processors, uint32_t processor, uint64_t now_ns);

/* How many are in turn, at least 1. */
uint32_t prof_processors_count(
    const struct prof_processors *processors, uint64_t now_ns);

/* Whose turn it is. */
uint32_t prof_processors_next(
    struct prof_processors *processors, uint64_t now_ns);

#endif
