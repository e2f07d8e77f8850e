/* A frame from the code of its function; see the header. */
#include "profiler/collector/frame_scan.h"

#include <string.h>

#include "profiler/collector/exit_call.h"
#include "profiler/collector/insn.h"

enum { WORD = 8, JUMPS_MAX = 256, USUAL_MAX = 8, FRAME_BYTES_MAX = 1 << 20 };

/* What is known of the frame at an instruction. */
struct state {
    int64_t depth;    /* from the stack pointer up to the CFA */
    bool is_lost;     /* the stack pointer is not known */
    int64_t fp_depth; /* the same from the frame pointer; 0: it is no such */
    int64_t saved_fp; /* see struct prof_scanned_frame */
};

/* Where a jump goes that we have passed, and with what. */
struct jump {
    uint64_t target;
    struct state state;
};

/* A frame, and how many jumps have it. */
struct usual {
    struct state state;
    unsigned count;
};

struct scan {
    struct state now, largest;
    struct jump jumps[JUMPS_MAX]; /* the latest ones, in turns */
    unsigned jump_count;
    struct usual usual[USUAL_MAX];
};

static bool decode(
    struct prof_reader *code, uint64_t pc, uint8_t *bytes,
    struct prof_insn *insn)
{
    uint64_t words[2];
    if (!prof_reader_load(code, pc, &words[0]) ||
        !prof_reader_load(code, pc + WORD, &words[1]))
        return false;
    memcpy(bytes, words, sizeof words);
    return prof_insn_decode(bytes, PROF_INSN_BYTES_MAX, pc, insn);
}

/* Count the frames that jumps have: most have that of the function's body. */
static void count_usual(struct scan *scan)
{
    for (unsigned i = 0; i < USUAL_MAX; i++) {
        struct usual *usual = &scan->usual[i];
        if (usual->count == 0)
            usual->state = scan->now;
        if (usual->state.depth != scan->now.depth)
            continue;
        usual->count++;
        return;
    }
}

static void note_jump(struct scan *scan, uint64_t from, uint64_t target)
{
    count_usual(scan);
    if (target <= from)
        return;
    scan->jumps[scan->jump_count++ % JUMPS_MAX] =
        (struct jump){target, scan->now};
}

static const struct state *most_usual(const struct scan *scan)
{
    const struct usual *found = &scan->usual[0];
    for (unsigned i = 1; i < USUAL_MAX; i++) {
        if (scan->usual[i].count > found->count)
            found = &scan->usual[i];
    }
    return found->count > 0 ? &found->state : &scan->largest;
}

/* Behind what is not gone beyond. */
static void go_on_at(struct scan *scan, uint64_t pc)
{
    unsigned count =
        scan->jump_count < JUMPS_MAX ? scan->jump_count : JUMPS_MAX;
    for (unsigned i = 0; i < count; i++) {
        if (scan->jumps[i].target == pc) {
            scan->now = scan->jumps[i].state;
            return;
        }
    }
    scan->now = *most_usual(scan);
}

static void pop_fp(struct state *state)
{
    state->saved_fp = 0;
    state->fp_depth = 0;
}

/* The stack pointer is `depth` below the CFA. */
static void set_depth(struct state *state, int64_t depth)
{
    state->depth = depth;
    state->is_lost = depth < WORD || depth > FRAME_BYTES_MAX;
}

static void step_fp(struct state *state, const struct prof_insn *insn)
{
    switch (insn->kind) {
    case PROF_INSN_SAVE_FP:
        set_depth(state, state->depth + WORD);
        if (state->saved_fp == 0 && state->fp_depth == 0)
            state->saved_fp = state->depth;
        break;
    case PROF_INSN_LOAD_FP:
        set_depth(state, state->depth - WORD);
        pop_fp(state);
        break;
    case PROF_INSN_SET_FP:
        state->fp_depth = state->is_lost ? 0 : state->depth;
        break;
    default: /* PROF_INSN_SP_FP, PROF_INSN_LEAVE */
        if (state->fp_depth == 0) {
            state->is_lost = true;
            break;
        }
        set_depth(state, state->fp_depth + insn->bytes);
        if (insn->kind == PROF_INSN_LEAVE) {
            set_depth(state, state->depth - WORD);
            pop_fp(state);
        }
        break;
    }
}

static void step(struct scan *scan, const struct prof_insn *insn, uint64_t pc)
{
    struct state *now = &scan->now;
    switch (insn->kind) {
    case PROF_INSN_MOVE_SP:
        if (!now->is_lost)
            set_depth(now, now->depth + insn->bytes);
        break;
    case PROF_INSN_LOSE_SP:
        now->is_lost = true;
        break;
    case PROF_INSN_BRANCH:
        note_jump(scan, pc, insn->target);
        break;
    case PROF_INSN_JUMP:
        note_jump(scan, pc, insn->target);
        go_on_at(scan, pc + insn->length);
        break;
    case PROF_INSN_END:
        go_on_at(scan, pc + insn->length);
        break;
    case PROF_INSN_SAVE_FP:
    case PROF_INSN_LOAD_FP:
    case PROF_INSN_SET_FP:
    case PROF_INSN_SP_FP:
    case PROF_INSN_LEAVE:
        step_fp(now, insn);
        break;
    default:
        break;
    }
    if (now->depth > scan->largest.depth || now->fp_depth != 0)
        scan->largest = *now;
}

/* From the first instruction to the one at `pc`. */
static bool scan_to(
    struct prof_reader *code, uint64_t function, uint64_t pc, struct scan *scan)
{
    struct prof_insn insn;
    uint8_t bytes[2 * WORD];
    uint64_t at = function;
    if (pc < function || pc - function > PROF_SCAN_BYTES_MAX)
        return false;
    for (; at < pc; at += insn.length) {
        if (!decode(code, at, bytes, &insn))
            return false;
        step(scan, &insn, at);
    }
    return at == pc;
}

bool prof_frame_scan(
    struct prof_reader *code, uint64_t function, uint64_t pc,
    struct prof_scanned_frame *frame)
{
    struct scan scan = {.now = {.depth = WORD}, .largest = {.depth = WORD}};
    if (!scan_to(code, function, pc, &scan))
        return false;
    const struct state *now = &scan.now;
    if (now->is_lost && now->fp_depth == 0)
        return false;
    frame->is_from_fp = now->is_lost;
    frame->cfa_bytes = now->is_lost ? now->fp_depth : now->depth;
    frame->saved_fp = now->saved_fp;
    return true;
}

bool prof_scan_left_stack(
    struct prof_reader *code, uint64_t function, uint64_t pc)
{
    enum { INSNS_MAX = 16 };
    struct scan scan = {.now = {.depth = WORD}, .largest = {.depth = WORD}};
    struct prof_insn insn;
    uint8_t bytes[2 * WORD];
    if (!scan_to(code, function, pc, &scan) || !scan.now.is_lost)
        return false;
    for (int i = 0; i < INSNS_MAX && decode(code, pc, bytes, &insn); i++) {
        if (insn.kind == PROF_INSN_JUMP)
            return true;
        if (insn.kind == PROF_INSN_LOSE_SP || insn.kind == PROF_INSN_SP_FP ||
            insn.kind == PROF_INSN_LEAVE || insn.kind == PROF_INSN_END)
            return false; /* it comes back, or has done so and returns */
        pc += insn.length;
    }
    return false;
}

bool prof_scan_ends_thread(struct prof_reader *code, uint64_t ret_pc)
{
    struct prof_exit_call exit_call = {.is_asked = false};
    struct prof_insn insn;
    uint8_t bytes[2 * WORD];
    for (int i = 0; i < PROF_EXIT_CALL_INSNS; i++) {
        if (!decode(code, ret_pc, bytes, &insn))
            return false;
        if (insn.kind == PROF_INSN_SYSCALL)
            return exit_call.is_asked;
        if (insn.kind != PROF_INSN_OTHER)
            return false;
        prof_exit_call_note(&exit_call, bytes, insn.length);
        ret_pc += insn.length;
    }
    return false;
}
