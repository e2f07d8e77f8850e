/*
 * The frames of the profile that the words of stacks stand for, found once.
 *
 * A word at a time: libraries come and go at one address, so what it stands
 * for holds from when a mapping came until it went.
 */
#ifndef PROFILER_COLLECTOR_FRAME_CACHE_H
#define PROFILER_COLLECTOR_FRAME_CACHE_H

#include <stdint.h>

#include "profiler/base/table.h"
#include "profiler/collector/address_space.h"

struct prof_frame_cache {
    struct table frames; /* struct prof_frame_entry */
    struct index by_word;
    uint64_t generation; /* of the address space they were found in */
};

/* Where a word is looked up that is not known yet. */
struct prof_frame_finder {
    struct prof_address_space *space;
    /* The mapping at `pc` as of `when_ns`, or NULL; may change the space. */
    const struct prof_space_mapping *(*find)(
        void *owner, uint64_t pc, uint64_t when_ns);
    void *owner;
};

void prof_frame_cache_init(struct prof_frame_cache *cache);
void prof_frame_cache_fini(struct prof_frame_cache *cache);

/*
 * The stack that these words (unwind/sig_walk.h), innermost first, make in the
 * profile, as of `when_ns`; PROF_NONE when nothing of it is to be shown.
 */
uint32_t prof_frame_cache_stack(
    struct prof_frame_cache *cache, const struct prof_frame_finder *finder,
    const uint64_t *words, uint32_t count, uint64_t when_ns);

#endif
