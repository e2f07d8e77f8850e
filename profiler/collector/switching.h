/*
 * How often the threads of a process are switched, for the CPU time they use:
 * each run of theirs costs something where perf events are on threads.
 * schedstat tells it for nothing but the look (proc(5)); an event that counts
 * switches would be one more to be armed at each.
 */
#ifndef PROFILER_COLLECTOR_SWITCHING_H
#define PROFILER_COLLECTOR_SWITCHING_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/collector/account.h"

struct prof_switching {
    uint64_t looked_ns;    /* the latest look; CLOCK_MONOTONIC */
    uint64_t runs, cpu_ns; /* since it was told last */
    struct table threads;  /* of each in the account, at its latest look */
};

void prof_switching_init(struct prof_switching *switching);
void prof_switching_fini(struct prof_switching *switching);

/*
 * Look, unless the last look was a moment ago, at threads of which there are
 * samples since then.
 *
 *   runs_per_s  a second of CPU time; written only when it is known anew
 */
bool prof_switching_tell(
    struct prof_switching *switching, const struct prof_account *account,
    uint64_t now_ns, double *runs_per_s);

#endif
