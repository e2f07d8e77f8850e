/* Unwinding a stack that was copied; see the header. */
#include "profiler/tap/copied_stack.h"

#include <string.h>
#include <sys/uio.h>
#include <time.h>

#include "profiler/base/clock.h"
#include "profiler/collector/bare_code.h"
#include "profiler/collector/frame_search.h"
#include "profiler/unwind/process_reader.h"
#include "profiler/unwind/sig_lookup.h"
#include "profiler/unwind/sig_row.h"
#include "profiler/unwind/sig_walker.h"

enum {
    WORD = 8,
    LIVE_BYTES = 16384,
    BELOW_BYTES = 256, /* of where it is read, for what a frame saved there */
    AGREEING_WORDS = 3,
    AGREEING_BYTES = 512,
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

static bool read_memory(
    const struct copied_reader *reader, uint64_t address, void *into,
    size_t bytes)
{
    struct iovec local = {into, bytes};
    struct iovec remote = {(void *)(uintptr_t)address, bytes};
    return process_vm_readv(
               (pid_t)reader->stack->tid, &local, 1, &remote, 1, 0) ==
           (ssize_t)bytes;
}

/* Whether the end of the copy is in memory as it was. */
static bool ends_alike(const struct copied_reader *reader)
{
    uint8_t now[AGREEING_BYTES];
    uint64_t size_bytes = reader->high - reader->low;
    size_t bytes = size_bytes < sizeof now ? size_bytes : sizeof now;
    return bytes > 0 && read_memory(reader, reader->high - bytes, now, bytes) &&
           memcmp(now, reader->stack->bytes + size_bytes - bytes, bytes) == 0;
}

/*
 * Whether the outermost return addresses of the copy, or what looks like some,
 * are the same in memory now. Its end may lie in an array that nobody uses.
 */
static bool returns_alike(const struct copied_reader *reader)
{
    uint32_t count = 0;
    for (uint64_t at = reader->high; at > reader->low && count < AGREEING_WORDS;
         at -= WORD) {
        uint64_t now, then = prof_slot_at(
                          at - WORD - reader->low +
                          (uint64_t)(uintptr_t)reader->stack->bytes);
        if (!prof_is_code_address(then) ||
            !prof_code_holds(reader->code, then - 1))
            continue;
        if (!read_memory(reader, at - WORD, &now, WORD) || now != then)
            return false;
        count++;
    }
    return count > 0;
}

static bool go_on(struct copied_reader *reader)
{
    reader->is_checked = true;
    /* Behind a hole, all within may be of the past: it is a frame that reads
     * and writes, and serves one after the other. */
    reader->is_believed = ends_alike(reader) &&
                          (reader->stack->has_hole || returns_alike(reader));
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
    prof_known_frames_fini(&known->frames);
}

/* Leave out what is no frame; the leaf is where the thread was. */
static void drop_wild_frames(struct prof_code *code, struct prof_walk *walk)
{
    uint32_t count = prof_code_frames(code, walk);
    walk->count = count > 0 ? count : 1;
}

static void begin_reader(
    struct copied_reader *reader, const struct prof_copied_stack *stack,
    bool is_live, struct prof_code *code)
{
    reader->reader = (struct prof_reader){.refill = refill, .owner = reader};
    reader->stack = stack;
    reader->code = code;
    reader->low = stack->regs.value[PROF_REG_SP];
    reader->high = reader->low + stack->size_bytes / WORD * WORD;
    reader->live_low = reader->live_high = 0;
    reader->is_beyond = reader->is_believed = false;
    reader->is_checked = !is_live;
    use_copy(reader);
}

/* What a walk has come to. */
struct outcome {
    bool is_beyond; /* something outside the copy was wanted */
    bool is_ended;  /* nobody called its last frame: a word that happens to be
                       zero is not enough for that */
};

static void walk_by_rules(
    const struct prof_copied_stack *stack, struct copied_reader *reader,
    struct prof_trail *trail, struct prof_walk *walk)
{
    struct prof_code *code = reader->code;
    prof_walk_stack(
        &stack->regs, NULL, &reader->reader, &code->modules, &code->cache,
        trail, walk);
    if (walk->end != PROF_WALK_INCOMPLETE)
        return;
    /* Again, up to the last frame that is one: where that is, it tells. */
    uint32_t held = prof_code_frames(code, walk), capacity = walk->capacity;
    if (held == walk->count)
        return;
    walk->capacity = held > 0 ? held : 1;
    prof_walk_stack(
        &stack->regs, NULL, &reader->reader, &code->modules, &code->cache, NULL,
        walk);
    walk->capacity = capacity;
    walk->end = PROF_WALK_INCOMPLETE;
}

/*
 * Walk once.
 *
 *   is_live  go on in the thread's memory
 *   trail    NULL: without
 */
static struct outcome walk_once(
    const struct prof_copied_stack *stack, bool is_live, struct prof_code *code,
    struct prof_trail *trail, struct prof_walk *walk)
{
    static struct prof_process_reader bytes; /* of our one thread */
    struct copied_reader reader;
    begin_reader(&reader, stack, is_live, code);
    uint32_t version =
        atomic_load_explicit(&code->modules.version, memory_order_relaxed);
    bool has_trail =
        trail != NULL && prof_trail_begin(trail, stack->tid, version);
    walk_by_rules(stack, &reader, has_trail ? trail : NULL, walk);

    prof_process_reader_init(&bytes, (pid_t)stack->tid);
    const struct prof_bare_code bare = {
        .code = code, .stack = &reader.reader, .bytes = &bytes.reader};
    prof_bare_code_walk(&bare, walk);
    struct prof_frame_search search = {
        .modules = &code->modules,
        .cache = &code->cache,
        .stack = &reader.reader,
        .code = &bytes.reader};
    if (walk->end == PROF_WALK_INCOMPLETE && stack->regs.known != PROF_REGS_ALL)
        prof_frame_search(&search, walk);
    /* A zero beyond a frame may be a word of the stack that was switched to. */
    uint64_t last_pc = prof_pc_of_word(walk->frames[walk->count - 1]);
    if (!is_live && stack->chain.count > 0 && prof_code_is_go(code, last_pc) &&
        walk->end != PROF_WALK_CUT && !prof_bare_code_begins(&bare, walk))
        prof_frame_chain_join(&stack->chain, code, &bytes.reader, walk);
    return (struct outcome){
        .is_beyond = reader.is_beyond,
        .is_ended = is_live && walk->end == PROF_WALK_COMPLETE &&
                    prof_bare_code_begins(&bare, walk)};
}

/* The functions of a walk's frames, until the next call. */
static const uint64_t *functions_of(
    struct prof_code *code, const struct prof_walk *walk)
{
    static uint64_t functions[PROF_COPIED_FRAMES_MAX]; /* of our one thread */
    for (uint32_t i = 0; i < walk->count; i++) {
        uint64_t pc = prof_pc_of_word(walk->frames[i]);
        uint64_t start = prof_code_function(&code->modules, pc);
        if (start == 0)
            start = prof_code_symbol(code, pc);
        functions[i] = start != 0 ? start : pc;
    }
    return functions;
}

/*
 * Go on where `walk` could not, in the thread's memory; see the header. That
 * the functions are the same is asked, not the lines: one that serves is at
 * times where it waits. So a line may be that of a moment later.
 */
static bool complete(
    const struct prof_copied_stack *stack, struct prof_code *code,
    struct prof_known_stack *known, struct prof_walk *walk)
{
    static uint64_t frames[PROF_COPIED_FRAMES_MAX]; /* of our one thread */
    struct prof_walk live = {
        .frames = frames, .capacity = PROF_COPIED_FRAMES_MAX};
    uint64_t end = stack->regs.value[PROF_REG_SP] + stack->size_bytes;
    /* A frame so large may be an array that nobody uses, the same for ever. */
    if (!stack->has_hole && end - walk->sp > AGREEING_BYTES)
        return false;
    if (!walk_once(stack, true, code, NULL, &live).is_ended ||
        live.count < walk->count)
        return false;
    const uint64_t *functions = functions_of(code, &live);
    bool was_seen = prof_known_frames_hold(
        &known->frames, functions + walk->count, live.count - walk->count,
        stack->time_ns);
    prof_known_frames_note(
        &known->frames, functions, live.count, clock_now_ns(CLOCK_MONOTONIC),
        stack->time_ns);
    if (!was_seen || live.count > walk->capacity)
        return false;
    memcpy(walk->frames, frames, live.count * sizeof *frames);
    walk->count = live.count;
    return true;
}

enum prof_copied_end prof_copied_stack_walk(
    const struct prof_copied_stack *stack, struct prof_code *code,
    struct prof_known_stack *known, struct prof_walk *walk)
{
    bool is_beyond =
        walk_once(stack, false, code, &known->trail, walk).is_beyond;
    uint64_t depth_bytes = walk->sp - stack->regs.value[PROF_REG_SP];
    if (walk->end == PROF_WALK_COMPLETE) {
        /* It may grow beyond the copy. */
        if (depth_bytes > stack->size_bytes / 2)
            prof_known_frames_note(
                &known->frames, functions_of(code, walk), walk->count,
                stack->time_ns, stack->time_ns);
        return PROF_COPIED_COMPLETE;
    }
    if (is_beyond && walk->end == PROF_WALK_INCOMPLETE && stack->is_live &&
        complete(stack, code, known, walk))
        return PROF_COPIED_COMPLETE;
    drop_wild_frames(code, walk);
    return is_beyond || walk->end == PROF_WALK_CUT ? PROF_COPIED_CUT
                                                   : PROF_COPIED_INCOMPLETE;
}
