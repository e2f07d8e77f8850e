/*
 * Processes of the tree that have no agent: static programs and others that
 * cannot be preloaded. Who starts one tells (WIRE_UNSEEN). They are not
 * sampled; what CPU time they use stands in a frame that says why, and in the
 * end each program is named in a note.
 */
#ifndef PROFILER_COLLECTOR_STRAYS_H
#define PROFILER_COLLECTOR_STRAYS_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/obstacle.h"
#include "profiler/base/table.h"
#include "profiler/model/profile.h"

#define PROF_STRAYS 4096u /* followed at once; more are counted */

struct prof_strays {
    struct prof_profile *profile;
    uint32_t value_cpu, value_wall; /* columns; wall: PROF_NONE if not asked */
    struct table live;              /* struct prof_stray */
    struct table programs;          /* struct prof_stray_program */
};

/* `text` of a WIRE_UNSEEN, read. */
struct prof_stray_news {
    enum obstacle obstacle;
    uint32_t pid; /* 0: the sender */
    const char *path;
};

bool prof_strays_read(const char *text, struct prof_stray_news *news);

void prof_strays_init(
    struct prof_strays *strays, struct prof_profile *profile,
    uint32_t value_cpu, uint32_t value_wall);
void prof_strays_fini(struct prof_strays *strays);

/* The process `pid` becomes such a program. Its CPU time so far; ns. */
uint64_t prof_strays_add(
    struct prof_strays *strays, uint32_t pid,
    const struct prof_stray_news *news);

/* The process `pid` is a new one: all its CPU time counts. */
void prof_strays_follow(
    struct prof_strays *strays, uint32_t pid,
    const struct prof_stray_news *news);

/*
 * It does not: the exec failed, or there is an agent after all. What CPU time
 * of it is not of the recording, as far as is known here; ns.
 */
uint64_t prof_strays_drop(struct prof_strays *strays, uint32_t pid);

/* Read the clocks, and close the accounts of those that are gone. */
void prof_strays_look(struct prof_strays *strays);

/* Close all accounts, and note the programs in the profile. */
void prof_strays_finish(struct prof_strays *strays);

#endif
