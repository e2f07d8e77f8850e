/*
 * The stacks of one chunk and the frames they are made of: what is used of a
 * profile's, numbered anew, each once. For chunk.c alone.
 *
 * A frame of the profile becomes one frame for each of its lines, so that
 * inlined functions are frames of their own. Stacks go from the leaf to the
 * root. There is no instruction address in a frame: it would be part of a
 * call tree's node, and split a function by its instructions.
 */
#ifndef EXPORTERS_SENTRY_CHUNK_STACKS_H
#define EXPORTERS_SENTRY_CHUNK_STACKS_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/table.h"
#include "profiler/model/profile.h"

struct exp_frames;
struct exp_json;

struct exp_chunk_stacks {
    const struct prof_profile *profile;
    const char *in_app; /* patterns; see in_app.h */
    struct exp_frames *names;
    struct table stacks, frames, images;
    struct index stack_index, frame_index;
    bool
        *is_listed; /* per module: its image is in the list, or there is none */
};

/* False when out of memory; fini() is due all the same. */
bool exp_chunk_stacks_init(
    struct exp_chunk_stacks *stacks, const struct prof_profile *profile,
    const char *in_app);
void exp_chunk_stacks_fini(struct exp_chunk_stacks *stacks);

/* The number of the stack without frames: the thread is idle. */
uint32_t exp_chunk_stacks_idle(struct exp_chunk_stacks *stacks);

/*
 * The number of a stack of the profile as seen in `process`; PROF_NONE is the
 * stack of which nothing is known. TABLE_NONE when out of memory.
 */
uint32_t exp_chunk_stacks_add(
    struct exp_chunk_stacks *stacks, uint32_t process, uint32_t stack);

/*
 * Write keys "stacks" and "frames"; false when out of memory. Images are known
 * afterwards.
 */
bool exp_chunk_stacks_write(
    struct exp_chunk_stacks *stacks, struct exp_json *json);

/* Write key "debug_meta". */
void exp_chunk_stacks_write_images(
    const struct exp_chunk_stacks *stacks, struct exp_json *json);

#endif
