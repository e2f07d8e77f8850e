/* Which frame was called from which; see the header. */
#include "profiler/tap/known_frames.h"

#include "profiler/base/table.h"

/* The rows that may hold it: so many that seldom one gives way to another of
 * the same stack. */
enum { WAYS = 8 };

static uint32_t first_place(uint64_t sp, uint64_t word)
{
    return hash_u64(sp * 31 ^ word) % (PROF_KNOWN_FRAMES / WAYS) * WAYS;
}

static uint32_t find_place(
    const struct prof_known_frames *known, uint64_t sp, uint64_t word)
{
    uint32_t first = first_place(sp, word), at = first;
    while (at < first + WAYS &&
           (known->rows[at].sp != sp || known->rows[at].word != word))
        at++;
    return at < first + WAYS ? at : TABLE_NONE;
}

static void note(
    struct prof_known_frames *known, const struct prof_known_frame *frame)
{
    uint32_t place = find_place(known, frame->sp, frame->word);
    uint32_t first = first_place(frame->sp, frame->word);
    for (uint32_t i = 0; i < WAYS && place == TABLE_NONE; i++) {
        if (known->rows[first + i].sp == 0)
            place = first + i;
    }
    if (place == TABLE_NONE)
        place = first + known->replaced++ % WAYS;
    known->rows[place] = *frame;
}

/*
 * The trail's steps are the innermost callers, the outermost of them first: the
 * last is that of the walk's second frame.
 */
void prof_known_frames_note(
    struct prof_known_frames *known, const struct prof_walk *walk,
    const struct prof_trail *trail)
{
    struct prof_known_frame frame = {0};
    for (uint32_t i = 1; i < walk->count && i <= trail->old_count; i++) {
        const struct prof_trail_step *step =
            &trail->steps[trail->old_count - i];
        if (step->pc != walk->frames[i])
            return; /* another walk had the trail */
        uint64_t sp = step->sp & PROF_TRAIL_ADDRESS;
        frame.caller_sp = sp;
        frame.caller_word = step->pc;
        if (i > 1)
            note(known, &frame);
        frame = (struct prof_known_frame){.sp = sp, .word = step->pc};
    }
    if (walk->end == PROF_WALK_COMPLETE && walk->count > 1 &&
        walk->count - 1 <= trail->old_count)
        note(known, &frame);
}

bool prof_known_frames_complete(
    const struct prof_known_frames *known, struct prof_walk *walk)
{
    uint64_t sp = walk->sp, word = walk->frames[walk->count - 1];
    for (uint32_t count = walk->count; count < walk->capacity; count++) {
        uint32_t place = find_place(known, sp, word);
        if (place == TABLE_NONE)
            return false;
        const struct prof_known_frame *row = &known->rows[place];
        if (row->caller_word == 0) {
            walk->count = count;
            return true;
        }
        if (row->caller_sp <= sp)
            return false;
        sp = row->caller_sp;
        word = row->caller_word;
        walk->frames[count] = word;
    }
    return false;
}
