/*
 * Which frame of a thread's stack was called from which, as last seen.
 *
 * A frame is known by its stack pointer and its word in a walk. Where one
 * stands, its caller stands at the same distance each time, for a function's
 * frame has one size; who the caller is may change, and the last one seen is
 * the one that is there still, as a rule: outer frames live long.
 *
 * It is a table of fixed size in which the new takes the place of the old.
 */
#ifndef PROFILER_TAP_KNOWN_FRAMES_H
#define PROFILER_TAP_KNOWN_FRAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/unwind/sig_trail.h"
#include "profiler/unwind/sig_walk.h"

#define PROF_KNOWN_FRAMES 8192

struct prof_known_frame {
    uint64_t sp, word;
    uint64_t caller_sp, caller_word; /* 0, 0: it is the thread's first */
};

struct prof_known_frames {
    struct prof_known_frame rows[PROF_KNOWN_FRAMES];
    uint32_t replaced;
};

/*
 * Note the frames of a walk.
 *
 *   trail  the walk's: it has the stack pointers
 */
void prof_known_frames_note(
    struct prof_known_frames *known, const struct prof_walk *walk,
    const struct prof_trail *trail);

/*
 * Add the callers of the walk's last frame, up to the thread's first; false,
 * and nothing is added, when they are not all known.
 */
bool prof_known_frames_complete(
    const struct prof_known_frames *known, struct prof_walk *walk);

#endif
