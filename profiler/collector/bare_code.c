/* Callers in code without rules; see the header. */
#include "profiler/collector/bare_code.h"

#include <string.h>

#include "profiler/collector/call_sites.h"
#include "profiler/unwind/sig_lookup.h"
#include "profiler/unwind/sig_row.h"
#include "profiler/unwind/sig_walker.h"

enum { WORD = 8, FRAMES_MAX = 4096, GUESSES_MAX = 256 };

/* Of Go's functions, those that change stacks are brief. */
enum { SWITCH_BYTES = 256 };

/* Where a caller is looked for whose function nothing tells. */
enum { SEARCH_BYTES = 16384, THREAD_BYTES = 512 };

/* A frame, or its caller. */
struct place {
    uint64_t pc, sp, fp;
};

/* The frame of a function at `pc`; false when its code does not tell. */
static bool frame_of(
    const struct prof_bare_code *bare, uint64_t function, uint64_t pc,
    struct prof_scanned_frame *frame)
{
    uint32_t version = atomic_load_explicit(
        &bare->code->modules.version, memory_order_relaxed);
    return prof_bare_rows_frame(
        &bare->code->bare, version, bare->bytes, function, pc, frame);
}

/* ---- the caller ---- */

static uint64_t cfa_of(
    const struct place *place, const struct prof_scanned_frame *frame)
{
    return (frame->is_from_fp ? place->fp : place->sp) +
           (uint64_t)frame->cfa_bytes;
}

/* The caller, if a call stands before the return address below `cfa`. */
static bool enter_caller(
    const struct prof_bare_code *bare, uint64_t cfa,
    const struct prof_scanned_frame *frame, struct place *place)
{
    uint64_t ret_pc, fp = place->fp;
    if (cfa <= place->sp ||
        !prof_reader_load(bare->stack, cfa - WORD, &ret_pc) ||
        !prof_is_code_address(ret_pc) ||
        !prof_code_holds(bare->code, ret_pc - 1))
        return false;
    struct prof_call_site site = prof_call_site_before(bare->bytes, ret_pc);
    if (!site.is_direct && !site.is_indirect)
        return false;
    if (frame->saved_fp != 0 &&
        !prof_reader_load(bare->stack, cfa - (uint64_t)frame->saved_fp, &fp))
        return false;
    *place = (struct place){ret_pc, cfa, fp};
    return true;
}

static bool by_function(
    const struct prof_bare_code *bare, uint64_t function, uint64_t pc,
    struct place *place)
{
    struct prof_scanned_frame frame;
    return function != 0 && frame_of(bare, function, pc, &frame) &&
           enter_caller(bare, cfa_of(place, &frame), &frame, place);
}

/* The function is whatever was called from where we look. */
static bool by_calls(
    const struct prof_bare_code *bare, uint64_t pc, struct place *place)
{
    uint64_t low = (place->sp + WORD - 1) & ~(uint64_t)(WORD - 1);
    for (uint64_t at = low; at < low + SEARCH_BYTES; at += WORD) {
        uint64_t word;
        if (!prof_reader_load(bare->stack, at, &word))
            return false;
        if (!prof_is_code_address(word) ||
            !prof_code_holds(bare->code, word - 1))
            continue;
        struct prof_call_site site = prof_call_site_before(bare->bytes, word);
        if (!site.is_direct || pc - site.target > PROF_SCAN_BYTES_MAX)
            continue;
        struct prof_scanned_frame frame;
        if (frame_of(bare, site.target, pc, &frame) &&
            cfa_of(place, &frame) == at + WORD &&
            enter_caller(bare, at + WORD, &frame, place))
            return true;
    }
    return false;
}

/* A thread's own function, which nothing tells of, is called by its first. */
static bool by_thread_end(
    const struct prof_bare_code *bare, struct place *place)
{
    const struct prof_scanned_frame unknown = {.saved_fp = 0};
    uint64_t low = (place->sp + WORD - 1) & ~(uint64_t)(WORD - 1);
    for (uint64_t at = low; at < low + THREAD_BYTES; at += WORD) {
        uint64_t word;
        if (!prof_reader_load(bare->stack, at, &word))
            return false;
        if (prof_is_code_address(word) &&
            prof_code_holds(bare->code, word - 1) &&
            prof_scan_ends_thread(bare->bytes, word))
            return enter_caller(bare, at + WORD, &unknown, place);
    }
    return false;
}

static enum prof_row_kind row_kind(
    const struct prof_bare_code *bare, uint64_t word)
{
    return prof_row_kind(prof_lookup_row(
        &bare->code->modules, &bare->code->cache, prof_pc_of_word(word) + 1));
}

static bool find_caller(
    const struct prof_bare_code *bare, uint64_t word, struct place *place)
{
    /* As a register: a return address stands behind its call. */
    uint64_t pc = word & PROF_FRAME_ADDRESS;
    uint64_t key = prof_pc_of_word(word);
    return by_function(bare, prof_code_symbol(bare->code, key), pc, place) ||
           by_calls(bare, pc, place) || by_thread_end(bare, place);
}

/* ---- the first frame ---- */

/* Of Go's: the frame that is called from here has saved no frame pointer. */
static bool is_end_of_go(
    const struct prof_bare_code *bare, const struct prof_walk *walk,
    uint64_t pc)
{
    uint64_t fp = 1;
    return walk->count > 1 && prof_code_is_go(bare->code, pc) &&
           prof_reader_load(bare->stack, walk->sp - 2 * WORD, &fp) && fp == 0;
}

static bool has_left_stack(const struct prof_bare_code *bare, uint64_t word)
{
    uint64_t pc = word & PROF_FRAME_ADDRESS;
    if (!prof_code_is_go(bare->code, prof_pc_of_word(word)))
        return false;
    uint64_t function = prof_code_symbol(bare->code, prof_pc_of_word(word));
    return function != 0 && pc - function <= SWITCH_BYTES &&
           prof_scan_left_stack(bare->bytes, function, pc);
}

bool prof_bare_code_begins(
    const struct prof_bare_code *bare, const struct prof_walk *walk)
{
    uint64_t word = walk->frames[walk->count - 1];
    uint64_t pc = prof_pc_of_word(word);
    return row_kind(bare, word) == PROF_ROW_END ||
           prof_code_is_entry(bare->code, pc) ||
           ((word & PROF_FRAME_EXACT) == 0 &&
            prof_scan_ends_thread(bare->bytes, word & PROF_FRAME_ADDRESS)) ||
           is_end_of_go(bare, walk, pc) || has_left_stack(bare, word);
}

/* ---- the walk ---- */

static void walk_by_rules(
    const struct prof_bare_code *bare, const struct place *place,
    struct prof_walk *walk)
{
    struct prof_regs regs = {.known = 0};
    prof_regs_set(&regs, PROF_REG_SP, place->sp);
    prof_regs_set(&regs, PROF_REG_FP, place->fp);
    prof_regs_set(&regs, PROF_REG_PC, place->pc - 1);
    prof_walk_stack(
        &regs, NULL, bare->stack, &bare->code->modules, &bare->code->cache,
        NULL, walk);
}

/* Go on by rules from a caller that was found, as far as they lead to code. */
static void walk_on(
    const struct prof_bare_code *bare, const struct place *place,
    struct prof_walk *walk)
{
    static uint64_t frames[FRAMES_MAX]; /* of our one thread */
    struct prof_walk further = {.frames = frames, .capacity = FRAMES_MAX};
    walk_by_rules(bare, place, &further);
    uint32_t held = prof_code_frames(bare->code, &further);
    if (held < further.count && held > 0) {
        further.capacity = held;
        walk_by_rules(bare, place, &further);
        further.end = PROF_WALK_INCOMPLETE;
    }
    frames[0] = place->pc | PROF_FRAME_GUESSED;
    uint32_t room = walk->capacity - walk->count;
    uint32_t count = further.count < room ? further.count : room;
    memcpy(walk->frames + walk->count, frames, count * sizeof *frames);
    walk->count += count;
    walk->sp = further.sp;
    walk->fp = further.fp;
    walk->end = count < further.count ? (uint32_t)PROF_WALK_CUT : further.end;
}

/* A word of zero is the end of a stack where a rule leads to it; where a frame
 * pointer was only guessed, it may be anything. */
static bool is_doubtful(
    const struct prof_bare_code *bare, const struct prof_walk *walk)
{
    if (walk->end == PROF_WALK_INCOMPLETE)
        return true;
    return walk->end == PROF_WALK_COMPLETE &&
           row_kind(bare, walk->frames[walk->count - 1]) == PROF_ROW_NONE;
}

/* Whatever the rules have found beyond is left. */
static void end_where_stack_was_left(
    const struct prof_bare_code *bare, struct prof_walk *walk)
{
    for (uint32_t i = 0; i < walk->count; i++) {
        if (has_left_stack(bare, walk->frames[i])) {
            walk->count = i + 1;
            walk->end = PROF_WALK_COMPLETE;
            return;
        }
    }
}

void prof_bare_code_walk(
    const struct prof_bare_code *bare, struct prof_walk *walk)
{
    if (is_doubtful(bare, walk))
        end_where_stack_was_left(bare, walk);
    for (int i = 0; i < GUESSES_MAX && is_doubtful(bare, walk); i++) {
        uint64_t word = walk->frames[walk->count - 1];
        struct place place = {prof_pc_of_word(word), walk->sp, walk->fp};
        if (prof_bare_code_begins(bare, walk)) {
            walk->end = PROF_WALK_COMPLETE;
            return;
        }
        if (row_kind(bare, word) != PROF_ROW_NONE ||
            !prof_code_holds(bare->code, place.pc) ||
            prof_code_is_go(bare->code, place.pc) || /* by frame pointers */
            !find_caller(bare, word, &place))
            return;
        walk_on(bare, &place, walk);
    }
}
