/* The threads of a process that a recording is limited to. */
#ifndef PROFILER_COLLECTOR_CHOSEN_H
#define PROFILER_COLLECTOR_CHOSEN_H

#include <stdbool.h>
#include <stdint.h>

#define PROF_CHOSEN_MAX 256u

struct prof_chosen {
    uint32_t count; /* 0: all threads */
    uint32_t tids[PROF_CHOSEN_MAX];
    uint64_t used_ns[PROF_CHOSEN_MAX]; /* CPU time, as far as it was seen */
};

/* Those of the process `pid` among the threads; how many. */
uint32_t prof_chosen_init(
    struct prof_chosen *chosen, uint32_t pid, const uint32_t *tids,
    uint32_t count);

bool prof_chosen_has(const struct prof_chosen *chosen, uint32_t tid);

/* Whether there are some, and all of them have ended. */
bool prof_chosen_are_over(const struct prof_chosen *chosen, uint32_t pid);

/* Their CPU time; of those that have ended, as it was when last asked. */
uint64_t prof_chosen_cpu_ns(struct prof_chosen *chosen, uint32_t pid);

#endif
