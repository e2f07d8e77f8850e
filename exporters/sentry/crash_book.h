/*
 * Which crashes were sent, and when: a service that crashes each time it is
 * started is to be seen, not to flood. The same crash is sent once in a while,
 * and how often it came in between is told with the next.
 *
 * Two crashes are the same when they are of one kind, signal and exception, in
 * the same functions: the five innermost of the program's own.
 *
 * Kept in a file of lines, "KEY TIME REPEATS", beside the spool, so that
 * processes know of each other's. One that is damaged or cannot be written
 * costs a crash too many, never one too few.
 */
#ifndef EXPORTERS_SENTRY_CRASH_BOOK_H
#define EXPORTERS_SENTRY_CRASH_BOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/model/crash.h"

/* Its name in the spool's folder, which leaves it alone. */
#define EXP_CRASH_BOOK     "crashes"

/* The same crash is not sent for so long. */
#define EXP_CRASH_PAUSE_MS UINT64_C(600000)

/* Of a crash whose profile is symbolized. */
uint64_t exp_crash_key(const struct prof_crash *crash);

/*
 * Whether it is to be sent, which is noted, or only counted.
 *
 *   folder   that of the spool
 *   repeats  out, when it is to be sent: how many were not since the last
 */
bool exp_crash_book_ask(
    const char *folder, uint64_t key, uint64_t now_ms, uint64_t pause_ms,
    uint32_t *repeats);

#endif
