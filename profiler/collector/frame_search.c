/* The search for a caller; see the header. */
#include "profiler/collector/frame_search.h"

#include <stdbool.h>
#include <string.h>

#include "profiler/collector/call_sites.h"
#include "profiler/collector/code.h"
#include "profiler/unwind/sig_lookup.h"
#include "profiler/unwind/sig_row.h"
#include "profiler/unwind/sig_walker.h"

/* Frames are rarely larger; and a stack has only so many words in code. */
#define SEARCH_BYTES UINT64_C(262144)
enum { WALKS_MAX = 64, FRAMES_MAX = 1024 };

enum rank { RANK_NONE, RANK_OTHER, RANK_INDIRECT, RANK_CALLED };

/* The frame whose caller is wanted. */
struct frame {
    uint64_t key, pc, sp;
    uint64_t function; /* where it begins; 0: not known */
    uint32_t row;
};

struct found {
    enum rank rank;
    unsigned others; /* how many were RANK_OTHER */
    uint32_t count;
    uint64_t frames[FRAMES_MAX];
};

static bool is_code(const struct prof_frame_search *search, uint64_t pc)
{
    const struct prof_text_list *list = prof_modules_enter(search->modules);
    if (list == NULL)
        return false;
    bool is_inside = prof_text_find(list, pc) != NULL;
    prof_modules_leave(search->modules, list);
    return is_inside;
}

/* Whether the call before `ret_pc` can have led to the frame. */
static enum rank rank_of_call(
    const struct prof_frame_search *search, const struct frame *frame,
    uint64_t ret_pc)
{
    struct prof_call_site site = prof_call_site_before(search->code, ret_pc);
    if (site.is_direct && frame->function != 0 &&
        (site.target == frame->function ||
         prof_call_behind_plt(search->code, site.target) == frame->function))
        return RANK_CALLED;
    if (site.is_direct && is_code(search, site.target))
        return RANK_OTHER;
    return site.is_indirect ? RANK_INDIRECT : RANK_NONE;
}

/* ---- candidates ---- */

static void try_frame_pointer(
    const struct prof_frame_search *search, const struct frame *frame,
    uint64_t fp, uint64_t ret_pc, struct found *found)
{
    static uint64_t frames[FRAMES_MAX];
    enum rank rank = rank_of_call(search, frame, ret_pc);
    bool is_counted = rank == RANK_OTHER && found->rank == RANK_OTHER;
    if (rank <= found->rank && !is_counted)
        return;
    struct prof_regs regs = {.known = 0};
    struct prof_walk walk = {.frames = frames, .capacity = FRAMES_MAX};
    prof_regs_set(&regs, PROF_REG_SP, frame->sp);
    prof_regs_set(&regs, PROF_REG_FP, fp);
    prof_regs_set(&regs, PROF_REG_PC, frame->pc);
    prof_walk_stack(
        &regs, NULL, search->stack, search->modules, search->cache, NULL,
        &walk);
    if (walk.end != PROF_WALK_COMPLETE || walk.count < 2)
        return;
    found->others += rank == RANK_OTHER;
    if (rank <= found->rank)
        return;
    found->rank = rank;
    found->count = walk.count - 1;
    memcpy(found->frames, frames + 1, found->count * sizeof *frames);
}

/*
 * The frame pointer and the return address, if the frame's CFA is `cfa`, or,
 * where that has to be read from the frame, if the frame pointer is `cfa` - 16.
 */
static bool read_candidate(
    const struct prof_frame_search *search, const struct frame *frame,
    uint64_t cfa, uint64_t *fp, uint64_t *ret_pc)
{
    uint64_t bytes = prof_row_cfa_bytes(frame->row);
    uint64_t low = frame->sp, saved_fp;
    switch (prof_row_kind(frame->row)) {
    case PROF_ROW_FP:
        *fp = cfa - bytes;
        break;
    case PROF_ROW_NONE:
        *fp = cfa - 16;
        /* Without rules, what is saved there must be further up. */
        if (!prof_reader_load(search->stack, *fp, &saved_fp) ||
            (saved_fp <= *fp && saved_fp != 0))
            return false;
        break;
    default: /* PROF_ROW_REALIGNED */
        *fp = cfa - 16;
        if (!prof_reader_load(search->stack, *fp - bytes, &cfa) || cfa <= *fp ||
            cfa - low > SEARCH_BYTES)
            return false;
        break;
    }
    return *fp >= low && cfa > low &&
           prof_reader_load(search->stack, cfa - 8, ret_pc) &&
           prof_is_code_address(*ret_pc) && is_code(search, *ret_pc - 1);
}

static uint64_t below_frame_pointer(
    const struct prof_frame_search *search, const struct frame *frame)
{
    return prof_prologue_bytes(search->code, frame->function, frame->pc);
}

static void search_stack(
    const struct prof_frame_search *search, const struct frame *frame,
    struct found *found)
{
    uint64_t low = (frame->sp + 15) & ~UINT64_C(7);
    uint64_t first = low;
    if (prof_row_kind(frame->row) == PROF_ROW_FP)
        first =
            (frame->sp + below_frame_pointer(search, frame) + 7) & ~UINT64_C(7);
    if (first < low)
        first = low;
    unsigned tried = 0;
    for (uint64_t cfa = first; cfa < low + SEARCH_BYTES; cfa += 8) {
        uint64_t fp, ret_pc, word;
        if (!prof_reader_load(search->stack, cfa - 8, &word))
            return; /* the end of the stack */
        if (!read_candidate(search, frame, cfa, &fp, &ret_pc))
            continue;
        try_frame_pointer(search, frame, fp, ret_pc, found);
        if (found->rank == RANK_CALLED || ++tried == WALKS_MAX)
            return;
    }
}

void prof_frame_search(
    const struct prof_frame_search *search, struct prof_walk *walk)
{
    static struct found found;
    uint64_t word = walk->frames[walk->count - 1];
    struct frame frame = {.pc = prof_pc_of_word(word), .sp = walk->sp};
    frame.key = frame.pc + 1;
    frame.row = prof_lookup_row(search->modules, search->cache, frame.key);
    enum prof_row_kind kind = prof_row_kind(frame.row);
    if (kind != PROF_ROW_FP && kind != PROF_ROW_REALIGNED &&
        kind != PROF_ROW_NONE)
        return;
    frame.function = prof_code_function(search->modules, frame.pc);

    found.rank = RANK_NONE;
    found.others = found.count = 0;
    search_stack(search, &frame, &found);
    if (found.rank == RANK_NONE ||
        (found.rank == RANK_OTHER && found.others > 1) ||
        found.count > walk->capacity - walk->count)
        return;
    memcpy(
        walk->frames + walk->count, found.frames,
        found.count * sizeof *walk->frames);
    walk->frames[walk->count] |= PROF_FRAME_GUESSED;
    walk->count += found.count;
    walk->end = PROF_WALK_COMPLETE;
}
