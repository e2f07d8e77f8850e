/*
 * How often the threads of a process are switched, for the CPU time they use:
 * each run of theirs costs something where perf events are on threads.
 * schedstat tells it for nothing but the look (proc(5)); an event that counts
 * switches would be one more to be armed at each. To whom they are switched
 * nobody tells; but threads that fill the processors they run on are switched
 * among themselves.
 */
#ifndef PROFILER_COLLECTOR_SWITCHING_H
#define PROFILER_COLLECTOR_SWITCHING_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/collector/account.h"

struct prof_switching {
    uint64_t looked_ns;    /* the latest look; CLOCK_MONOTONIC */
    uint64_t runs, cpu_ns; /* since it was told last */
    uint64_t room_ns;      /* what the processors had for those threads */
    struct table threads;  /* of each in the account, at its latest look */
};

struct prof_switch_rate {
    double runs_per_s; /* a second of CPU time */
    bool is_among_themselves;
};

void prof_switching_init(struct prof_switching *switching);
void prof_switching_fini(struct prof_switching *switching);

/*
 * Look, unless the last look was a moment ago, at threads of which there are
 * samples since then. `rate` is written only when it is known anew.
 */
bool prof_switching_tell(
    struct prof_switching *switching, const struct prof_account *account,
    uint64_t now_ns, struct prof_switch_rate *rate);

/* What has been counted so far comes to. */
struct prof_switch_rate prof_switching_rate(
    const struct prof_switching *switching);

#endif
