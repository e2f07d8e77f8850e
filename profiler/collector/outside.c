/* Walks from outside; see the header. */
#include "profiler/collector/outside.h"

#include <errno.h>
#include <stdlib.h>

#include "profiler/base/clock.h"
#include "profiler/collector/bare_code.h"
#include "profiler/collector/code.h"
#include "profiler/collector/frame_search.h"
#include "profiler/unwind/process_reader.h"
#include "profiler/unwind/sig_walker.h"

/* After maps that explained nothing. */
#define FRUITLESS_READ_NS UINT64_C(1000000000)

struct prof_outside {
    struct prof_code *code;
    struct prof_process_reader stack;
    struct prof_process_reader bytes; /* of the code, for frame_search.h */
    bool is_read;                     /* the maps, at `version` */
    uint64_t version;
    uint64_t next_read_ns;
};

struct prof_outside *prof_outside_create(
    uint32_t pid, struct prof_image_cache *images)
{
    struct prof_outside *made = calloc(1, sizeof *made);
    if (made == NULL)
        return NULL;
    made->code = prof_code_create(pid, images);
    if (made->code == NULL) {
        free(made);
        return NULL;
    }
    return made;
}

void prof_outside_destroy(struct prof_outside *outside)
{
    if (outside == NULL)
        return;
    prof_code_destroy(outside->code);
    free(outside);
}

bool prof_outside_prepare(struct prof_outside *outside, uint64_t version)
{
    if (outside->is_read && outside->version == version)
        return true;
    outside->is_read = true;
    outside->version = version;
    return prof_code_read_maps(outside->code);
}

static void walk_once(
    struct prof_outside *outside, const struct prof_outside_place *place,
    struct prof_walk *walk)
{
    struct prof_reader copy = {.refill = NULL};
    struct prof_reader *stack = &outside->stack.reader;
    if (place->stack != NULL) {
        uint64_t sp = place->regs->value[PROF_REG_SP];
        prof_reader_set_window(
            &copy, sp, sp + place->stack_bytes,
            (uint64_t)(uintptr_t)place->stack);
        stack = &copy;
    }
    prof_walk_stack(
        place->regs, NULL, stack, &outside->code->modules,
        &outside->code->cache, NULL, walk);
    const struct prof_bare_code bare = {
        .code = outside->code, .stack = stack, .bytes = &outside->bytes.reader};
    prof_bare_code_walk(&bare, walk);
    struct prof_frame_search search = {
        .modules = &outside->code->modules,
        .cache = &outside->code->cache,
        .stack = stack,
        .code = &outside->bytes.reader};
    if (walk->end == PROF_WALK_INCOMPLETE)
        prof_frame_search(&search, walk);
}

/* Leave the frames that are in no code we know; true when there were none. */
static bool trim(struct prof_outside *outside, struct prof_walk *walk)
{
    uint32_t count = prof_code_frames(outside->code, walk);
    if (count == walk->count)
        return true;
    walk->count = count > 0 ? count : 1;
    walk->end = PROF_WALK_INCOMPLETE;
    return false;
}

bool prof_outside_walk(
    struct prof_outside *outside, const struct prof_outside_place *place,
    struct prof_walk *walk)
{
    uint64_t word, sp = place->regs->value[PROF_REG_SP];
    prof_process_reader_init(&outside->stack, (pid_t)place->tid);
    prof_process_reader_init(&outside->bytes, (pid_t)place->tid);
    errno = 0;
    if (place->stack == NULL && place->regs->known != PROF_REGS_ALL &&
        !prof_reader_load(&outside->stack.reader, sp & ~UINT64_C(7), &word))
        return false;

    (void)prof_outside_prepare(outside, place->version);
    walk_once(outside, place, walk);
    if (trim(outside, walk))
        return true;
    /* For want of a module, perhaps. */
    uint64_t now_ns = clock_now_ns(CLOCK_MONOTONIC);
    if (now_ns >= outside->next_read_ns) {
        (void)prof_code_read_maps(outside->code);
        walk_once(outside, place, walk);
        outside->next_read_ns =
            trim(outside, walk) ? 0 : now_ns + FRUITLESS_READ_NS;
    }
    return true;
}
