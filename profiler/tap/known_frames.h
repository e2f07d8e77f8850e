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

struct prof_known_look {
    uint64_t time_ns; /* 0: there was none */
    uint64_t *words;  /* of the frames; the outermost is the last */
    uint32_t count, capacity;
};

struct prof_known_frames {
    struct prof_known_look earlier, latest;
};

void prof_known_frames_fini(struct prof_known_frames *known);

/*
 * Note the frames of a walk that came to the thread's first one.
 *
 *   words      what is to be the same of each: a function
 *   time_ns    when the memory was read
 *   sample_ns  the sample's own time
 */
void prof_known_frames_note(
    struct prof_known_frames *known, const uint64_t *words, uint32_t count,
    uint64_t time_ns, uint64_t sample_ns);

/*
 * Whether these frames, the outermost of a walk, were seen before `time_ns`:
 * they are the outermost of the latest look from before then.
 */
bool prof_known_frames_hold(
    const struct prof_known_frames *known, const uint64_t *words,
    uint32_t count, uint64_t time_ns);

#endif
