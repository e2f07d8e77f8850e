/* The reader's side of the published stacks; see the header. */
#include "profiler/unwind/sig_stacks.h"

enum { ATTEMPTS = 4 };

/*
 * The writer may be at work in the list. Acquire, paired with the release in
 * stacks.c: whoever reads a word of a later publication sees a later version
 * in the end.
 */
static uint64_t get(const _Atomic uint64_t *word)
{
    return atomic_load_explicit(word, memory_order_acquire);
}

/* The last start at or below `address`; count > 0. */
static uint32_t search(
    const struct prof_stack_list *list, uint32_t count, uint64_t address)
{
    uint32_t first = 0;
    while (count > 1) {
        uint32_t half = count / 2;
        first += get(&list->ranges[first + half].start) <= address ? half : 0;
        count -= half;
    }
    return first;
}

static bool find_in(
    const struct prof_stack_list *list, uint64_t address, uint64_t *low,
    uint64_t *high)
{
    uint32_t count = atomic_load_explicit(&list->count, memory_order_acquire);
    if (count == 0 || count > PROF_STACKS_MAX)
        return false;
    uint32_t at = search(list, count, address);
    for (uint32_t i = 0; i <= PROF_STACKS_NESTED && i <= at; i++) {
        *low = get(&list->ranges[at - i].start);
        *high = get(&list->ranges[at - i].end);
        if (address >= *low && address < *high)
            return true;
    }
    return false;
}

EVERY_SAMPLE bool prof_stacks_find(
    const struct prof_stacks *stacks, uint64_t address, uint64_t *low,
    uint64_t *high)
{
    for (unsigned i = 0; i < ATTEMPTS; i++) {
        /* Pairs with the release in stacks.c: the list is complete. */
        uint32_t version =
            atomic_load_explicit(&stacks->version, memory_order_acquire);
        uint64_t start = 0, end = 0;
        bool is_found =
            find_in(&stacks->lists[version & 1], address, &start, &end);
        if (atomic_load_explicit(&stacks->version, memory_order_relaxed) !=
            version)
            continue;
        *low = start;
        *high = end;
        return is_found;
    }
    return false;
}
