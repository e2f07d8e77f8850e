/*
 * Threads and children that take idle processors only. On a machine that is
 * busy there is none, and whoever waits for what they make may wait for ever.
 */
#ifndef TESTS_SYMBOLIZER_IDLE_THREADS_H
#define TESTS_SYMBOLIZER_IDLE_THREADS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Let those of this process have their share, where we may; for whoever waits
 * for them, at each look.
 *
 * It allocates nothing: a child of another thread's would have the allocator of
 * AddressSanitizer as it was at the fork, and wait for ever for a lock in it.
 */
void idle_threads_hurry(void);

/*
 * Whether no child is left of what was ended from `since_ns` on, by
 * CLOCK_MONOTONIC. One that was killed is waited for for half a second; where
 * it got no processor in that to die on, it is for us to reap, as it would be
 * for whoever is the parent of orphans.
 */
bool idle_threads_are_reaped(uint64_t since_ns);

#endif
