/* The writer's side of the published stacks; see the headers. */
#include "profiler/unwind/stacks.h"

struct edit {
    const struct prof_stack_list *from;
    struct prof_stack_list *to;
    uint32_t version;
    uint32_t count; /* ranges written to `to` */
};

static uint64_t get(const _Atomic uint64_t *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

/* Start over in the list that is not in force. */
static struct edit begin(struct prof_stacks *stacks)
{
    uint32_t version =
        atomic_load_explicit(&stacks->version, memory_order_relaxed);
    return (struct edit){
        .from = &stacks->lists[version & 1],
        .to = &stacks->lists[(version + 1) & 1],
        .version = version,
    };
}

/*
 * Release, although a later store publishes the list: it pairs with the
 * acquire in sig_stacks.c, so that a straggler in this list, who reads one of
 * these words, also sees that the list was not in force any more.
 */
static void append(struct edit *edit, uint64_t start, uint64_t end)
{
    atomic_store_explicit(
        &edit->to->ranges[edit->count].start, start, memory_order_release);
    atomic_store_explicit(
        &edit->to->ranges[edit->count].end, end, memory_order_release);
    edit->count++;
}

static void commit(struct prof_stacks *stacks, struct edit *edit)
{
    atomic_store_explicit(&edit->to->count, edit->count, memory_order_release);
    atomic_store_explicit(
        &stacks->version, edit->version + 1, memory_order_release);
}

bool prof_stacks_add(struct prof_stacks *stacks, uint64_t start, uint64_t end)
{
    struct edit edit = begin(stacks);
    uint32_t count =
        atomic_load_explicit(&edit.from->count, memory_order_relaxed);
    bool is_placed = false;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t old = get(&edit.from->ranges[i].start);
        if (!is_placed && start <= old) {
            append(&edit, start, end);
            is_placed = true;
        }
        if (old == start)
            continue;
        if (edit.count == PROF_STACKS_MAX)
            return false; /* not committed: nothing changed */
        append(&edit, old, get(&edit.from->ranges[i].end));
    }
    if (!is_placed) {
        if (edit.count == PROF_STACKS_MAX)
            return false;
        append(&edit, start, end);
    }
    commit(stacks, &edit);
    return true;
}

void prof_stacks_remove(struct prof_stacks *stacks, uint64_t start)
{
    struct edit edit = begin(stacks);
    uint32_t count =
        atomic_load_explicit(&edit.from->count, memory_order_relaxed);
    for (uint32_t i = 0; i < count; i++) {
        const struct prof_stack_range *range = &edit.from->ranges[i];
        if (get(&range->start) != start)
            append(&edit, get(&range->start), get(&range->end));
    }
    if (edit.count != count)
        commit(stacks, &edit);
}
