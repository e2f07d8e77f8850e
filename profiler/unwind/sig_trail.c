/* What a walk leaves behind; see the header. */
#include "profiler/unwind/sig_trail.h"

EVERY_SAMPLE void prof_trail_leave(struct prof_trail *trail, uint32_t from)
{
    /* There is room: the old steps end at or before new_first. From the top
     * down, for the places may overlap. */
    for (uint32_t i = from; i > trail->old_at; i--)
        trail->steps[--trail->new_first] = trail->steps[i - 1];
    trail->old_count = trail->old_at;
}

EVERY_SAMPLE void prof_trail_finish(struct prof_trail *trail, uint32_t kept)
{
    uint32_t count = kept;
    for (uint32_t i = trail->new_first; i < PROF_TRAIL_STEPS; i++)
        trail->steps[count++] = trail->steps[i];
    trail->old_count = count;
    /* Pairs with the acquire in prof_trail_begin(). */
    atomic_store_explicit(&trail->is_taken, 0, memory_order_release);
}
