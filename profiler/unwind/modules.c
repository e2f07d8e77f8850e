/* The writer's side of the published modules; see the headers. */
#include "profiler/unwind/modules.h"

#include "profiler/unwind/sig_row.h"

/* Sink `list->texts[root]` in the heap of the first `count`. */
static void sink(
    struct prof_text *texts, uint64_t *starts, uint32_t root, uint32_t count)
{
    for (;;) {
        uint32_t child = 2 * root + 1;
        if (child >= count)
            return;
        if (child + 1 < count && starts[child + 1] > starts[child])
            child++;
        if (starts[root] >= starts[child])
            return;
        struct prof_text text = texts[root];
        texts[root] = texts[child];
        texts[child] = text;
        uint64_t start = starts[root];
        starts[root] = starts[child];
        starts[child] = start;
        root = child;
    }
}

static void sort(struct prof_text_list *list)
{
    struct prof_text *texts = list->texts;
    uint64_t *starts = list->starts;
    for (uint32_t i = list->count / 2; i > 0; i--)
        sink(texts, starts, i - 1, list->count);
    for (uint32_t last = list->count; last > 1; last--) {
        struct prof_text text = texts[0];
        texts[0] = texts[last - 1];
        texts[last - 1] = text;
        uint64_t start = starts[0];
        starts[0] = starts[last - 1];
        starts[last - 1] = start;
        sink(texts, starts, 0, last - 1);
    }
}

/* Where two overlap, the lower one keeps what both claim. */
static void cut_overlaps(struct prof_text_list *list)
{
    for (uint32_t i = 0; i + 1 < list->count; i++) {
        uint64_t next = list->starts[i + 1];
        if (list->texts[i].end > next)
            list->texts[i].end = next;
    }
}

static void fill(
    struct prof_text_list *list, const struct prof_text *texts, uint32_t count)
{
    list->count = 0;
    for (uint32_t i = 0; i < count && list->count < PROF_TEXTS_MAX; i++) {
        if (texts[i].start >= texts[i].end)
            continue;
        list->texts[list->count] = texts[i];
        list->starts[list->count++] = texts[i].start;
    }
    sort(list);
    cut_overlaps(list);
}

static bool is_same(const struct prof_text *a, const struct prof_text *b)
{
    return a->start == b->start && a->end == b->end &&
           a->eh_frame.bytes == b->eh_frame.bytes &&
           a->debug_frame.bytes == b->debug_frame.bytes;
}

/* Stretch the changed range over what `old` had and `new` has not. */
static void note_changes(
    struct prof_modules *modules, const struct prof_text_list *old,
    const struct prof_text_list *new)
{
    for (uint32_t i = 0; i < old->count; i++) {
        const struct prof_text *text = &old->texts[i];
        const struct prof_text *now = prof_text_find(new, text->start);
        if (now != NULL && is_same(text, now))
            continue;
        if (text->start < modules->changed_low)
            modules->changed_low = text->start;
        if (text->end > modules->changed_high)
            modules->changed_high = text->end;
    }
}

/*
 * What is not code any more, and every pc that had no rule: it may have one
 * now. An entry stored by another thread meanwhile is lost, which costs a
 * miss.
 */
static void forget(
    const struct prof_modules *modules, struct prof_row_cache *cache)
{
    if (cache == NULL || prof_row_cache_is_empty(cache))
        return;
    for (uint32_t i = 0; i < PROF_ROW_CACHE_ENTRIES; i++) {
        uint64_t entry =
            atomic_load_explicit(&cache->entries[i], memory_order_relaxed);
        if (entry == 0)
            continue;
        uint64_t key = prof_row_cache_granule(i, entry);
        if (prof_row_kind((uint32_t)entry) == PROF_ROW_NONE ||
            (key <= modules->changed_high &&
             key + PROF_ROW_GRANULE > modules->changed_low))
            atomic_store_explicit(&cache->entries[i], 0, memory_order_relaxed);
    }
}

bool prof_modules_publish(
    struct prof_modules *modules, const struct prof_text *texts, uint32_t count,
    struct prof_row_cache *cache)
{
    uint32_t version =
        atomic_load_explicit(&modules->version, memory_order_relaxed);
    if (!prof_modules_settle(modules, cache))
        return false;

    struct prof_text_list *old = &modules->lists[version & 1];
    struct prof_text_list *new = &modules->lists[(version + 1) & 1];
    fill(new, texts, count);
    modules->changed_low = UINT64_MAX;
    modules->changed_high = 0;
    note_changes(modules, old, new);
    modules->is_settled = false;
    /* Sequentially consistent; pairs with prof_modules_enter(). */
    atomic_store(&modules->version, version + 1);
    forget(modules, cache);
    return true;
}

bool prof_modules_settle(
    struct prof_modules *modules, struct prof_row_cache *cache)
{
    if (modules->is_settled)
        return true;
    uint32_t version =
        atomic_load_explicit(&modules->version, memory_order_relaxed);
    if (atomic_load(&modules->readers[(version + 1) & 1]) != 0)
        return false;
    /* Once more: one that was inside may have stored what it found there. */
    forget(modules, cache);
    modules->is_settled = true;
    return true;
}

void prof_modules_after_fork(struct prof_modules *modules)
{
    atomic_store(&modules->readers[0], 0);
    atomic_store(&modules->readers[1], 0);
}
