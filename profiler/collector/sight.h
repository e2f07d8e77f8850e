/*
 * The stack of one thread of another process, as it is at one moment.
 *
 * A thread that sleeps is walked from outside (outside.h): it is not stopped,
 * and so nothing it waits for can end early or late. One that runs is sampled
 * by a perf event (glimpse.h), or, where that is refused or the copy of its
 * stack too short, held for the walk (tracee.h). So is one that sleeps where a
 * frame could only be found by search, for with all registers it is found by
 * rule; but never in a call whose deadline the kernel would not remember, nor
 * while it waits for a disk.
 */
#ifndef PROFILER_COLLECTOR_SIGHT_H
#define PROFILER_COLLECTOR_SIGHT_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "profiler/model/profile.h"
#include "profiler/unwind/sig_regs.h"
#include "profiler/unwind/sig_walk.h"

#define PROF_SIGHT_FRAMES 8192

struct prof_image_cache;
struct prof_sight;

/* A walk and its frames. */
struct prof_sight_stack {
    struct prof_walk walk;
    uint64_t frames[PROF_SIGHT_FRAMES];
};

/* What was found of a thread beside its stack. */
struct prof_seen {
    enum prof_state state;
    uint64_t time_ns;
};

/* A thread that stands in a handler, with what that has interrupted. */
struct prof_sight_known {
    uint32_t tid;
    const struct prof_regs *regs;
    bool is_jump; /* a call has led to where no code is, and nowhere further */

    /* What the handler itself has found, as in struct wire_sample; of the two
       stacks the better one is taken. */
    const uint64_t *words;
    uint32_t word_count;
    bool is_complete;
};

/* What it took, of all threads together. */
struct prof_sight_facts {
    uint32_t held_count; /* of holds; a thread may be held twice */
    uint64_t longest_hold_ns;
    struct diag refusal; /* why the first stack could not be had; or OK */
};

/*
 * To look at threads of the process `pid`; its code is read into `images`.
 *
 *   returns  NULL when out of memory
 */
struct prof_sight *prof_sight_create(
    uint32_t pid, struct prof_image_cache *images);
void prof_sight_destroy(struct prof_sight *sight); /* NULL is accepted */

/* Look at a thread; false when it is gone. */
bool prof_sight_look(
    struct prof_sight *sight, uint32_t tid, struct prof_seen *seen);
/* The same of one that waits in a handler of ours, and so is not gone. */
void prof_sight_look_at_known(
    struct prof_sight *sight, const struct prof_sight_known *known,
    struct prof_seen *seen);

/* The stack of the last look, until the next; NULL: it could not be had. */
const struct prof_sight_stack *prof_sight_stack(const struct prof_sight *sight);

struct prof_sight_facts prof_sight_facts(const struct prof_sight *sight);

#endif
