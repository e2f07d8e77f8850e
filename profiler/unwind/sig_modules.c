/* The reader's side of the published modules; see the header. */
#include "profiler/unwind/sig_modules.h"

enum { ATTEMPTS = 8 };

EVERY_SAMPLE const struct prof_text_list *prof_modules_enter(
    struct prof_modules *modules)
{
    for (unsigned i = 0; i < ATTEMPTS; i++) {
        uint32_t version =
            atomic_load_explicit(&modules->version, memory_order_acquire);
        /* Sequentially consistent, as is the writer's look at the count: of
         * the two, at least one sees the other. */
        atomic_fetch_add(&modules->readers[version & 1], 1);
        if (atomic_load(&modules->version) == version)
            return &modules->lists[version & 1];
        atomic_fetch_sub(&modules->readers[version & 1], 1);
    }
    return NULL;
}

EVERY_SAMPLE void prof_modules_leave(
    struct prof_modules *modules, const struct prof_text_list *list)
{
    /* Release: what the list led to was read before it may be replaced. */
    atomic_fetch_sub_explicit(
        &modules->readers[list == &modules->lists[1]], 1, memory_order_release);
}

EVERY_SAMPLE const struct prof_text *prof_text_find(
    const struct prof_text_list *list, uint64_t pc)
{
    if (list->count == 0)
        return NULL;
    uint32_t first = 0;
    for (uint32_t count = list->count; count > 1;) {
        uint32_t half = count / 2;
        first += list->starts[first + half] <= pc ? half : 0;
        count -= half;
    }
    const struct prof_text *text = &list->texts[first];
    return pc - text->start < text->end - text->start ? text : NULL;
}
