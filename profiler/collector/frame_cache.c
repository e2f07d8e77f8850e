/* Frames that were found before; see the header. */
#include "profiler/collector/frame_cache.h"

#include "profiler/unwind/sig_walk.h"

struct prof_frame_entry {
    uint64_t word;
    uint64_t from_ns, to_ns; /* while this is what the word means */
    uint32_t frame;          /* in the profile; PROF_NONE: not to be shown */
};

struct word_at {
    uint64_t word, when_ns;
};

void prof_frame_cache_init(struct prof_frame_cache *cache)
{
    *cache = (struct prof_frame_cache){
        .frames = {.row_bytes = sizeof(struct prof_frame_entry)}};
}

void prof_frame_cache_fini(struct prof_frame_cache *cache)
{
    table_fini(&cache->frames);
    index_fini(&cache->by_word);
}

static struct prof_frame_entry *entry_at(
    const struct prof_frame_cache *cache, uint32_t id)
{
    return table_row(&cache->frames, id);
}

static bool same_word(const void *owner, uint32_t id, const void *key)
{
    const struct prof_frame_entry *entry = entry_at(owner, id);
    const struct word_at *wanted = key;
    return entry->word == wanted->word && wanted->when_ns >= entry->from_ns &&
           wanted->when_ns < entry->to_ns;
}

static struct prof_frame_entry make_frame(
    const struct prof_frame_finder *finder, struct word_at place)
{
    struct prof_frame_entry entry = {.word = place.word};
    uint64_t pc = prof_pc_of_word(place.word);

    const struct prof_space_mapping *at =
        finder->find(finder->owner, pc, place.when_ns);
    if (at != NULL) {
        entry.from_ns = at->from_ns;
        entry.to_ns = at->to_ns;
    }
    entry.frame = prof_address_space_frame(finder->space, at, pc);
    return entry;
}

static uint32_t find_frame(
    struct prof_frame_cache *cache, const struct prof_frame_finder *finder,
    struct word_at place)
{
    const struct prof_address_space *space = finder->space;
    if (cache->generation != space->generation) {
        cache->frames.count = 0;
        index_fini(&cache->by_word);
        cache->generation = space->generation;
    }
    uint32_t hash = hash_u64(place.word);
    uint32_t id = index_find(&cache->by_word, hash, same_word, cache, &place);
    if (id != TABLE_NONE)
        return entry_at(cache, id)->frame;

    struct prof_frame_entry entry = make_frame(finder, place);
    /* Reading the maps may have made the cache stale; and what is in no known
       module may be in one tomorrow. Such is not kept. */
    if (cache->generation == space->generation && entry.to_ns > entry.from_ns) {
        id = table_add(&cache->frames, &entry);
        if (id != TABLE_NONE)
            (void)index_add(&cache->by_word, hash, id);
    }
    return entry.frame;
}

uint32_t prof_frame_cache_stack(
    struct prof_frame_cache *cache, const struct prof_frame_finder *finder,
    const uint64_t *words, uint32_t count, uint64_t when_ns)
{
    uint32_t stack = PROF_NONE;
    for (uint32_t i = count; i-- > 0;) {
        struct word_at place = {.word = words[i], .when_ns = when_ns};
        uint32_t frame = find_frame(cache, finder, place);
        if (frame != PROF_NONE)
            stack =
                prof_profile_add_stack(finder->space->profile, stack, frame);
    }
    return stack;
}
