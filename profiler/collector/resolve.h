/*
 * From records to samples: what each address was at the time of the sample,
 * and the stack it makes in the profile.
 */
#ifndef PROFILER_COLLECTOR_RESOLVE_H
#define PROFILER_COLLECTOR_RESOLVE_H

#include <stdint.h>

struct prof_target;

/*
 * Turn target->records into target->batch. What the agent says of modules is
 * applied first, so that samples taken before it find them.
 *
 * An address that nothing known explains sends us to the maps, once a drain.
 * What stood there may have gone, and something else come, since the sample
 * was taken: then the agent has published what went before it let it go. So
 * the maps are read first, then the ring once more, and what the ring says is
 * believed before the maps are.
 */
void prof_target_resolve(struct prof_target *target);

/*
 * The stack that these words, innermost first, make in the profile, as of
 * `when_ns`; PROF_NONE when nothing of it is to be shown.
 */
uint32_t prof_resolve_stack(
    struct prof_target *target, const uint64_t *words, uint32_t count,
    uint64_t when_ns);

/* Append what the ring holds to target->records; the share that was full. */
double prof_target_take(struct prof_target *target);

/* The account's index of a thread, made on first sight. */
uint32_t prof_target_thread(struct prof_target *target, uint32_t inner_tid);

/* As we see its thread. */
uint32_t prof_target_outer_tid(
    const struct prof_target *target, uint32_t inner_tid);

/* As prof_target_thread(), but TABLE_NONE when no sample of it was seen. */
uint32_t prof_target_known_thread(
    const struct prof_target *target, uint32_t inner_tid);

#endif
