/* The outer frames of a thread; see the header. */
#include "profiler/tap/known_frames.h"

#include <stdlib.h>
#include <string.h>

void prof_known_frames_fini(struct prof_known_frames *known)
{
    free(known->earlier.words);
    free(known->latest.words);
    *known = (struct prof_known_frames){0};
}

static bool make_room(struct prof_known_look *look, uint32_t count)
{
    if (count <= look->capacity)
        return true;
    uint64_t *words = realloc(look->words, count * sizeof *words);
    if (words == NULL)
        return false;
    look->words = words;
    look->capacity = count;
    return true;
}

void prof_known_frames_note(
    struct prof_known_frames *known, const uint64_t *words, uint32_t count,
    uint64_t time_ns, uint64_t sample_ns)
{
    /* The latest gives way if it is from after the sample too: those that come
     * next are little later, and need the one from before. */
    bool is_kept = known->latest.time_ns <= sample_ns;
    struct prof_known_look look = is_kept ? known->earlier : known->latest;
    look.time_ns = 0;
    if (make_room(&look, count)) {
        memcpy(look.words, words, count * sizeof *words);
        look.count = count;
        look.time_ns = time_ns;
    }
    if (is_kept)
        known->earlier = known->latest;
    known->latest = look;
}

bool prof_known_frames_hold(
    const struct prof_known_frames *known, const uint64_t *words,
    uint32_t count, uint64_t time_ns)
{
    const struct prof_known_look *look = &known->latest;
    if (look->time_ns > time_ns)
        look = &known->earlier;
    return look->time_ns != 0 && look->time_ns <= time_ns &&
           count <= look->count &&
           memcmp(
               look->words + look->count - count, words,
               count * sizeof *words) == 0;
}
