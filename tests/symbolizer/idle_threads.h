/*
 * Threads and children that take idle processors only. On a machine that is
 * busy there is none, and whoever waits for what they make may wait for ever.
 */
#ifndef TESTS_SYMBOLIZER_IDLE_THREADS_H
#define TESTS_SYMBOLIZER_IDLE_THREADS_H

/* Let those of this process have their share, where we may; for whoever waits
   for them, at each look. */
void idle_threads_hurry(void);

#endif
