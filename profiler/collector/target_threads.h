/*
 * The threads of a target, by the ids that its agent and /proc give them: each
 * is a row of the target's account.
 */
#ifndef PROFILER_COLLECTOR_TARGET_THREADS_H
#define PROFILER_COLLECTOR_TARGET_THREADS_H

#include <stdint.h>

struct prof_target;

/*
 * As we see a thread that calls itself `inner_tid`; 0 where that is not known:
 * in a pid name space of its own, of one that ended before we looked.
 */
uint32_t prof_target_outer_tid(struct prof_target *target, uint32_t inner_tid);

/* The same of one that has ended: from now on the id is another's. */
uint32_t prof_target_ended_tid(struct prof_target *target, uint32_t inner_tid);

/*
 * The account's index of a thread, by the id that we see, made on first sight.
 * Those that are not known share one, as do those beyond PROF_LIMIT_THREADS
 * that are gone.
 *
 *   returns  TABLE_NONE when out of memory
 */
uint32_t prof_target_thread(struct prof_target *target, uint32_t tid);

/* The same, but TABLE_NONE when none was made. */
uint32_t prof_target_known_thread(
    const struct prof_target *target, uint32_t tid);

/* The same as the first, by the id that the thread calls itself. */
uint32_t prof_target_inner_thread(
    struct prof_target *target, uint32_t inner_tid);

#endif
