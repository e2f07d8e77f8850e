/*
 * The caller of a frame whose frame pointer is not known.
 *
 * The registers of a sleeping thread are not to be had, but its stack is: the
 * caller's return address is on it. Above the frame every word is tried that
 * leads into code. One is believed when the walk from there on reaches the
 * thread's first frame; of several, first the one behind a call of the very
 * function that the frame is in, directly or by way of a PLT; then one behind
 * an indirect call, which may have called anything; then one behind a call of
 * another function (which may have jumped to this one), if it is the only one.
 * What earlier calls have left on the stack seldom looks so.
 */
#ifndef PROFILER_COLLECTOR_FRAME_SEARCH_H
#define PROFILER_COLLECTOR_FRAME_SEARCH_H

#include "profiler/unwind/sig_modules.h"
#include "profiler/unwind/sig_reader.h"
#include "profiler/unwind/sig_row_cache.h"
#include "profiler/unwind/sig_walk.h"

struct prof_frame_search {
    struct prof_modules *modules;
    struct prof_row_cache *cache;
    struct prof_reader *stack, *code; /* of one thread; apart, so that the
                                         windows stay where they are */
};

/*
 * Go on with a walk that ended incomplete. The frames that are found replace
 * nothing; the first of them is marked as guessed. Unchanged when no caller is
 * to be believed.
 */
void prof_frame_search(
    const struct prof_frame_search *search, struct prof_walk *walk);

#endif
