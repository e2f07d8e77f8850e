/*
 * The processors that watched threads have run on lately: one on which nobody
 * was seen for a second is left out, unless somebody was seen there last of
 * all, and may be again.
 */
#ifndef PROFILER_TAP_PROCESSORS_H
#define PROFILER_TAP_PROCESSORS_H

#include <stdbool.h>
#include <stdint.h>

/* Threads on others are not sampled. */
#define PROF_PROCESSORS_MOST 1024

struct prof_processors {
    uint64_t seen_ns[PROF_PROCESSORS_MOST]; /* 0: never */
    uint32_t latest;
    uint32_t end; /* nobody was ever seen on this one or those behind it */
};

/* Somebody was seen on it. */
void prof_processors_note(
    struct prof_processors *processors, uint32_t processor, uint64_t now_ns);

/* Whether this one, before the end, is among them. */
bool prof_processors_has(
    const struct prof_processors *processors, uint32_t processor,
    uint64_t now_ns);

#endif
