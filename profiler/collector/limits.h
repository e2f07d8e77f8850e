/*
 * What a target may claim. Its ring is untrusted, and everything in it costs
 * the collector memory for as long as the profile lives: a target that wrote
 * samples as fast as memory takes them would have us killed.
 *
 * An honest one has no more expiries than there was time for: on every
 * processor, one at each period and one at each tick. What is claimed beyond
 * that breaks the protocol. So the memory of a profile grows with the time
 * that was watched and the rate that was asked for, whatever the target does.
 *
 * Nor can a sample be older than the target or younger than now; such a time
 * is taken for now. (It is honest in a time name space, whose clock is
 * another.)
 */
#ifndef PROFILER_COLLECTOR_LIMITS_H
#define PROFILER_COLLECTOR_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

/* Threads of a target that were gone before they were looked for; those that
 * come later share one row. */
#define PROF_LIMIT_THREADS  65536

/* Mappings of a target that the profile keeps. */
#define PROF_LIMIT_MAPPINGS 16384

/* Expiries that need no time: a ring full of samples that waited. */
#define PROF_LIMIT_AT_ONCE  16384

struct prof_limits {
    uint64_t opened_ns;
    uint64_t now_ns; /* when the ring was last read */
    uint64_t period_ns, processors;
    uint64_t expiries; /* claimed so far */
};

/* `period_ns`: the shortest there will be. */
void prof_limits_init(struct prof_limits *limits, uint64_t period_ns);

/* The ring was read just now. */
void prof_limits_note_read(struct prof_limits *limits);

/* Whether so many expiries may be added; then they are. */
bool prof_limits_take(struct prof_limits *limits, uint32_t expiries);

/* `time_ns`, or now where it cannot be. */
uint64_t prof_limits_time(const struct prof_limits *limits, uint64_t time_ns);

#endif
