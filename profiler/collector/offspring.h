/*
 * The children of a process with a guest, those that it has and those that it
 * starts. A fork's child has the guest's code and no timer, and what it execs
 * has neither: each needs a guest of its own. They are found by looking, and
 * followed as strays (strays.h) until they have one. Who only sleeps needs
 * none, and may be in a wait that nobody may disturb. One that lives for less
 * than two looks, as most do that become another program, never gets it.
 */
#ifndef PROFILER_COLLECTOR_OFFSPRING_H
#define PROFILER_COLLECTOR_OFFSPRING_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/table.h"
#include "profiler/collector/strays.h"

struct prof_offspring {
    struct table children; /* struct prof_offspring_child */
    bool is_known;         /* there was a look, or nothing to be seen before */
    uint32_t round;        /* of looks */
    uint64_t next_ns;
};

/* `is_new`: it has just been started, and so has what it has started. */
void prof_offspring_init(struct prof_offspring *offspring, bool is_new);
void prof_offspring_fini(struct prof_offspring *offspring);

/*
 * Look for the children of the process `pid`, unless the last look was a moment
 * ago. What those have used that are there at the first look is not of the
 * recording.
 */
void prof_offspring_look(
    struct prof_offspring *offspring, uint32_t pid, uint64_t now_ns,
    struct prof_strays *strays);

/* One that needs a guest now; 0: none. How that went is to be noted. */
uint32_t prof_offspring_due(
    const struct prof_offspring *offspring, uint64_t now_ns);

/* It has one; or not, and it is tried again later, ever more rarely. */
void prof_offspring_note(
    struct prof_offspring *offspring, uint32_t pid, bool has_guest,
    uint64_t now_ns);

/* If it is one of them: its guest is gone, as after an exec. */
void prof_offspring_lose(
    struct prof_offspring *offspring, uint32_t pid, uint64_t now_ns,
    struct prof_strays *strays);

#endif
