/* Unwinding a stack that was copied; see the header. */
#include "profiler/tap/copied_stack.h"

#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "profiler/unwind/sig_walker.h"

enum {
    WORD = 8,
    LIVE_BYTES = 16384,
    BELOW_BYTES = 256, /* of where it is read, for what a frame saved there */
    AGREEING_WORDS = 3,
};

/* Two windows: the copy, and a part of the thread's memory. */
struct copied_reader {
    struct prof_reader reader;
    const struct prof_copied_stack *stack;
    struct prof_code *code;
    uint64_t low, high; /* of the copy */
    uint64_t live_low, live_high;
    bool is_beyond;  /* something outside the copy was wanted */
    bool is_checked; /* whether the memory goes on where the copy ends */
    bool is_believed;
    uint8_t live[LIVE_BYTES];
};

static void use_copy(struct copied_reader *reader)
{
    prof_reader_set_window(
        &reader->reader, reader->low, reader->high,
        (uint64_t)(uintptr_t)reader->stack->bytes);
}

static void use_live(struct copied_reader *reader)
{
    prof_reader_set_window(
        &reader->reader, reader->live_low, reader->live_high,
        (uint64_t)(uintptr_t)reader->live);
}

static bool fetch(struct copied_reader *reader, uint64_t low)
{
    struct iovec local = {reader->live, LIVE_BYTES};
    struct iovec remote = {(void *)(uintptr_t)low, LIVE_BYTES};
    ssize_t got =
        process_vm_readv((pid_t)reader->stack->tid, &local, 1, &remote, 1, 0);
    reader->live_low = low;
    reader->live_high = low + (got > 0 ? (uint64_t)got : 0);
    return got > 0;
}

/*
 * Whether the outermost return addresses of the copy, or what looks like some,
 * are the same in memory now.
 */
static bool agrees(const struct copied_reader *reader)
{
    uint64_t then[AGREEING_WORDS], now[AGREEING_WORDS];
    struct iovec remote[AGREEING_WORDS];
    uint32_t count = 0;
    for (uint64_t at = reader->high; at > reader->low && count < AGREEING_WORDS;
         at -= WORD) {
        uint64_t word = prof_slot_at(
            at - WORD - reader->low +
            (uint64_t)(uintptr_t)reader->stack->bytes);
        if (!prof_is_code_address(word) ||
            !prof_code_holds(reader->code, word - 1))
            continue;
        then[count] = word;
        remote[count++] = (struct iovec){(void *)(uintptr_t)(at - WORD), WORD};
    }
    struct iovec local = {now, count * sizeof *now};
    return count > 0 &&
           process_vm_readv(
               (pid_t)reader->stack->tid, &local, 1, remote, count, 0) ==
               (ssize_t)local.iov_len &&
           memcmp(then, now, local.iov_len) == 0;
}

static bool go_on(struct copied_reader *reader)
{
    reader->is_checked = true;
    reader->is_believed = agrees(reader);
    return reader->is_believed;
}

static bool refill(struct prof_reader *window, uint64_t address)
{
    struct copied_reader *reader = window->owner;
    if (address - reader->low < reader->high - reader->low &&
        reader->high - address >= WORD) {
        use_copy(reader);
        return true;
    }
    /* Below: a red zone, or what an earlier call left. */
    if (address < reader->low && reader->low - address <= PROF_RED_ZONE_BYTES)
        return false;
    reader->is_beyond = true;
    if (!reader->is_checked && !go_on(reader))
        return false;
    if (!reader->is_believed)
        return false;
    if (address - reader->live_low >= reader->live_high - reader->live_low &&
        !fetch(reader, (address & ~(uint64_t)(WORD - 1)) - BELOW_BYTES))
        return false;
    use_live(reader);
    return true;
}

/* ---- the walk ---- */

void prof_known_stack_fini(struct prof_known_stack *known)
{
    free(known->frames);
}

/* Stacks that come near the end of the copy may grow beyond it. */
static void note_frames(
    struct prof_known_stack *known, const struct prof_copied_stack *stack,
    const struct prof_walk *walk)
{
    uint64_t depth_bytes = walk->sp - stack->regs.value[PROF_REG_SP];
    if (known->frames == NULL && depth_bytes > stack->size_bytes / 2)
        known->frames = calloc(1, sizeof *known->frames);
    if (known->frames != NULL)
        prof_known_frames_note(known->frames, walk, &known->trail);
}

static uint64_t last_pc(const struct prof_walk *walk)
{
    return prof_pc_of_word(walk->frames[walk->count - 1]);
}

static bool is_first_frame(
    const struct prof_code *code, const struct prof_walk *walk)
{
    return walk->end == PROF_WALK_INCOMPLETE &&
           prof_code_is_entry(code, last_pc(walk));
}

/* Leave out what is no frame; the leaf is where the thread was. */
static void drop_wild_frames(struct prof_code *code, struct prof_walk *walk)
{
    uint32_t count = prof_code_frames(code, walk);
    walk->count = count > 0 ? count : 1;
}

/*
 * Walk once; whether the copy was too short.
 *
 *   is_live  go on in the thread's memory
 */
static bool walk_once(
    const struct prof_copied_stack *stack, bool is_live, struct prof_code *code,
    struct prof_known_stack *known, struct prof_walk *walk)
{
    struct copied_reader reader;
    reader.reader = (struct prof_reader){.refill = refill, .owner = &reader};
    reader.stack = stack;
    reader.code = code;
    reader.low = stack->regs.value[PROF_REG_SP];
    reader.high = reader.low + stack->size_bytes / WORD * WORD;
    reader.live_low = reader.live_high = 0;
    reader.is_beyond = reader.is_believed = false;
    reader.is_checked = !is_live;
    use_copy(&reader);

    uint32_t version =
        atomic_load_explicit(&code->modules.version, memory_order_relaxed);
    bool has_trail = prof_trail_begin(&known->trail, stack->tid, version);
    prof_walk_stack(
        &stack->regs, &reader.reader, &code->modules, &code->cache,
        has_trail ? &known->trail : NULL, walk);
    if (is_first_frame(code, walk))
        walk->end = PROF_WALK_COMPLETE;
    return reader.is_beyond;
}

enum prof_copied_end prof_copied_stack_walk(
    const struct prof_copied_stack *stack, struct prof_code *code,
    struct prof_known_stack *known, struct prof_walk *walk)
{
    bool is_beyond = walk_once(stack, stack->is_live, code, known, walk);
    /* Memory that led nowhere was not what the thread stood on. */
    if (is_beyond && stack->is_live && walk->end == PROF_WALK_INCOMPLETE)
        (void)walk_once(stack, false, code, known, walk);
    note_frames(known, stack, walk);
    if (walk->end == PROF_WALK_COMPLETE)
        return PROF_COPIED_COMPLETE;
    if (is_beyond && walk->end == PROF_WALK_INCOMPLETE &&
        known->frames != NULL &&
        prof_known_frames_complete(known->frames, walk))
        return PROF_COPIED_COMPLETE;
    drop_wild_frames(code, walk);
    return is_beyond || walk->end == PROF_WALK_CUT ? PROF_COPIED_CUT
                                                   : PROF_COPIED_INCOMPLETE;
}
