/*
 * Which process, and which program of it, a number stands for: a process ends,
 * and its number is given to another. Whoever has looked at one, and is about
 * to do something to it, asks whether it is still the same.
 */
#ifndef PROFILER_ATTACH_IDENTITY_H
#define PROFILER_ATTACH_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

struct prof_identity {
    uint64_t began_ticks; /* proc(5), field 22 of /proc/PID/stat */
    uint64_t stack;       /* where its first stack began, of each exec's */
};

/* Takes no lock of its memory. False: there is none. */
bool prof_identity_read(struct prof_identity *identity, uint32_t pid);

/* Whether `pid` is that process still, with that program. */
bool prof_identity_holds(const struct prof_identity *identity, uint32_t pid);

#endif
