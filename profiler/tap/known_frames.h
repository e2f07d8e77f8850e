/*
 * The outer frames of a thread, as they were last seen, and when.
 *
 * What lies beyond a copy is read from the thread's memory, some milliseconds
 * after the sample. Frames that stood there before the sample, and stand there
 * after it, stood there in between, as a rule.
 *
 * Two looks are kept, since several samples are taken out of a ring at once:
 * the latest may be later than the sample that is asked about.
 */
#ifndef PROFILER_TAP_KNOWN_FRAMES_H
#define PROFILER_TAP_KNOWN_FRAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/unwind/sig_walk.h"

struct prof_known_look {
    uint64_t time_ns; /* 0: there was none */
    uint64_t *words;  /* the outermost frame is the last */
    uint32_t count, capacity;
};

struct prof_known_frames {
    struct prof_known_look earlier, latest;
};

void prof_known_frames_fini(struct prof_known_frames *known);

/*
 * Note a walk that came to the thread's first frame.
 *
 *   time_ns    when the memory was read
 *   sample_ns  the sample's own time
 */
void prof_known_frames_note(
    struct prof_known_frames *known, const struct prof_walk *walk,
    uint64_t time_ns, uint64_t sample_ns);

/*
 * Whether the walk's frames from `first` on were seen before `time_ns`: the
 * outermost of the latest look from before then are the same.
 */
bool prof_known_frames_hold(
    const struct prof_known_frames *known, const struct prof_walk *walk,
    uint32_t first, uint64_t time_ns);

#endif
