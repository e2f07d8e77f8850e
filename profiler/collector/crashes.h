/*
 * Who crashes, from the first word of it to the end of the process.
 *
 * A crash that is written down is one only when the process then dies. While
 * it waits in its handler, its stacks are taken; then its death is waited for,
 * and a signal that turns out to be no end is forgotten. A death without any
 * word is looked at for what it was.
 */
#ifndef PROFILER_COLLECTOR_CRASHES_H
#define PROFILER_COLLECTOR_CRASHES_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/table.h"
#include "profiler/collector/oom.h"
#include "profiler/model/crash.h"

struct prof_target;

struct prof_crash_options {
    bool is_wanted;
    bool are_exits_wanted; /* with a status other than 0 */

    /* What it was; the receiver's to destroy. In the collector's run. */
    void (*take)(void *owner, struct prof_crash *crash);
    void *owner;
};

struct prof_crashes {
    struct prof_crash_options options;
    struct table dying; /* struct prof_dying */
    struct prof_oom_ledger ooms;
};

void prof_crashes_init(
    struct prof_crashes *crashes, const struct prof_crash_options *options);
void prof_crashes_fini(struct prof_crashes *crashes);

/*
 * Look whether something was written down in the target's segment, and take it
 * in.
 *
 *   pid  who says that it crashes; 0: nobody does, the target itself is meant
 */
void prof_crashes_look(
    struct prof_crashes *crashes, struct prof_target *target, uint32_t pid);

/* The target's process is dead, and about to be forgotten. */
void prof_crashes_note_death(
    struct prof_crashes *crashes, struct prof_target *target);

/* It is about to exit, and to be forgotten: its status will be known later. */
void prof_crashes_note_exit(
    struct prof_crashes *crashes, struct prof_target *target);

/* See who has died meanwhile; `targets` is the list of all. */
void prof_crashes_tend(
    struct prof_crashes *crashes, struct prof_target *targets);

/* Whether a death is waited for, so that the next look should be soon. */
bool prof_crashes_are_pending(const struct prof_crashes *crashes);

#endif
