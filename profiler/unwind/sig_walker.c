/* The walk; see the header. */
#include "profiler/unwind/sig_walker.h"

#include "profiler/unwind/sig_guess.h"
#include "profiler/unwind/sig_lookup.h"
#include "profiler/unwind/sig_row.h"
#include "profiler/unwind/sig_step.h"
#include "profiler/unwind/sig_trail.h"

struct walker {
    struct prof_reader *reader;
    struct prof_modules *modules;
    struct prof_row_cache *cache;
    struct prof_walk *walk;
    struct prof_trail *trail; /* NULL without */
    uint32_t followed_from;   /* the old step at which we began to follow; 0
                                 when we go our own way */
    uint32_t switches_left;

    /* The frame to unwind: the registers every row gives, and its key
     * (sig_row_cache.h). */
    uint64_t key, sp, fp;
    uint64_t flags; /* PROF_FRAME_EXACT, or 0 for a return address */

    /* The last frame of which as much is known as can be, and how many frames
     * there were with it. */
    const struct prof_regs *leaf;
    const void *ucontext; /* has the leaf's registers, all of them; or NULL */
    struct prof_regs checkpoint;
    uint32_t checkpoint_count; /* 0: it is the leaf's */
    uint64_t checkpoint_flags;
};

/* The pc as a register: a return address is its own key. */
static uint64_t register_pc(uint64_t key, uint64_t flags)
{
    return flags & PROF_FRAME_EXACT ? key - 1 : key;
}

static uint32_t row_of(const struct walker *w, uint64_t key)
{
    uint32_t row;
    if (w->cache != NULL && prof_row_cache_get(w->cache, key, &row))
        return row;
    return prof_lookup_row(w->modules, w->cache, key);
}

static bool stop(struct walker *w, enum prof_walk_end end)
{
    w->walk->end = end;
    return false;
}

/*
 * Note a frame in the trail, for which there is one.
 *
 *   returns  whether the trail can be followed from here
 */
static inline bool note(
    struct walker *w, uint64_t sp, uint64_t pc, uint64_t fp, uint64_t how)
{
    if (__builtin_expect(w->followed_from != 0, 0)) {
        prof_trail_leave(w->trail, w->followed_from);
        w->followed_from = 0;
    }
    return prof_trail_note(w->trail, sp, pc, fp, how);
}

/*
 * Go where the earlier walk went, as long as the words it loaded are the same.
 * The loads are independent of each other: this runs ahead of memory. No branch
 * depends on the slot, which differs from frame to frame: where there is none,
 * the pc is compared twice.
 *
 *   returns  false when the walk is over
 */
EVERY_SAMPLE static bool follow(struct walker *w)
{
    struct prof_trail *trail = w->trail;
    struct prof_walk *walk = w->walk;
    const uint64_t low = w->reader->low, span = w->reader->span;
    const uint64_t delta = w->reader->delta, end = low + span + 8;
    const uint32_t from = trail->old_at, room = walk->capacity - walk->count;
    const struct prof_trail_step *step = &trail->steps[from];
    const struct prof_trail_step *last = step - (from < room ? from : room);
    uint64_t *const first = walk->frames + walk->count, *frame = first;
    w->followed_from = from;
    if (end > PROF_TRAIL_ADDRESS || end < span)
        last = step; /* addresses wrap around, and the checks below do not */
    for (; step > last; step--, frame++) {
        uint64_t sp = step[-1].sp & (PROF_TRAIL_ADDRESS | PROF_TRAIL_OTHER);
        uint64_t slot = (uint8_t)(step[-1].sp >> PROF_TRAIL_SLOT_SHIFT);
        uint64_t fp_slot = sp + 8 * slot - 8 * PROF_TRAIL_SLOTS;
        uint64_t pc = step[-1].pc, fp = step[-1].fp;
        if (slot == PROF_TRAIL_PC_ALONE)
            fp = pc;
        if (sp >= end || fp_slot - low >= span ||
            !prof_slot_is(sp - 8 + delta, pc) ||
            !prof_slot_is(fp_slot + delta, fp))
            break;
        *frame = pc;
    }
    uint32_t count = (uint32_t)(frame - first);
    if (count == 0)
        return true;
    trail->old_at = from - count;
    walk->count += count;
    w->key = step->pc;
    w->sp = step->sp & PROF_TRAIL_ADDRESS;
    w->fp = step->fp;
    w->flags = 0;
    return w->key != trail->end_key || stop(w, PROF_WALK_COMPLETE);
}

/*
 * Go on in the caller at `pc`.
 *
 *   how      for the trail, as in prof_trail_note()
 *   returns  false when the walk is over
 */
static bool enter_frame(
    struct walker *w, uint64_t pc, uint64_t sp, uint64_t fp, uint64_t flags,
    uint64_t how)
{
    struct prof_walk *walk = w->walk;
    if (pc == 0)
        return stop(w, PROF_WALK_COMPLETE); /* by convention (psABI 3.4.1) */
    if (!prof_is_code_address(pc))
        return stop(w, PROF_WALK_INCOMPLETE);
    if (walk->count == walk->capacity)
        return stop(w, PROF_WALK_CUT);
    walk->frames[walk->count++] = pc | flags;
    w->flags = flags & PROF_FRAME_EXACT;
    w->key = pc + (w->flags != 0);
    w->sp = sp;
    w->fp = fp;
    return w->trail == NULL || !note(w, sp, pc | flags, fp, how) || follow(w);
}

static void set_state(
    struct walker *w, uint64_t key, uint64_t sp, uint64_t fp, uint32_t count)
{
    w->key = key;
    w->sp = sp;
    w->fp = fp;
    w->walk->count = count;
}

/*
 * Unwind while frames have one of the two plain rows: the whole of most walks.
 * What a frame's rule depends on is in locals: through memory, each frame
 * would wait for the stores of the one before.
 *
 *   row      the row that needs more than this loop, at w->key
 *   returns  false when the walk is over
 */
static bool walk_plain_rows(struct walker *w, uint32_t *row)
{
    struct prof_reader *const reader = w->reader;
    struct prof_trail *const trail = w->trail;
    uint64_t *const frames = w->walk->frames;
    const uint32_t capacity = w->walk->capacity;
    uint64_t key = w->key, sp = w->sp, fp = w->fp;
    uint32_t count = w->walk->count;
    for (;;) {
        *row = row_of(w, key);
        enum prof_row_kind kind = prof_row_kind(*row);
        if (kind != PROF_ROW_SP && kind != PROF_ROW_FP)
            break;
        uint64_t cfa =
            (kind == PROF_ROW_SP ? sp : fp) + prof_row_cfa_bytes(*row);
        uint64_t slot = prof_row_slot(*row), pc;
        if (cfa <= sp || !prof_reader_load(reader, cfa - 8, &pc) ||
            (slot != 0 && !prof_reader_load(reader, cfa - 8 * slot, &fp) &&
             cfa - 8 * slot >= sp)) {
            set_state(w, key, sp, fp, count);
            return stop(w, PROF_WALK_INCOMPLETE);
        }
        if (!prof_is_code_address(pc) || count == capacity) {
            set_state(w, key, sp, fp, count);
            return enter_frame(w, pc, cfa, fp, 0, PROF_TRAIL_OTHER);
        }
        sp = cfa;
        frames[count++] = key = pc;
        w->flags = 0;
        if (trail != NULL && note(w, sp, pc, fp, prof_trail_plain(slot))) {
            set_state(w, key, sp, fp, count);
            if (!follow(w))
                return false;
            key = w->key;
            sp = w->sp;
            fp = w->fp;
            count = w->walk->count;
        }
    }
    set_state(w, key, sp, fp, count);
    return true;
}

static bool step_realigned(struct walker *w, uint32_t row)
{
    uint64_t cfa, pc, fp;
    if (!prof_reader_load(w->reader, w->fp - prof_row_cfa_bytes(row), &cfa) ||
        cfa <= w->sp || !prof_reader_load(w->reader, cfa - 8, &pc) ||
        !prof_reader_load(w->reader, w->fp, &fp))
        return stop(w, PROF_WALK_INCOMPLETE);
    return enter_frame(w, pc, cfa, fp, 0, PROF_TRAIL_OTHER);
}

/*
 * One frame up with all registers that are known.
 *
 *   flags    in: of the frame; out: of its caller
 */
__attribute__((noinline)) static enum prof_step step_full(
    const struct walker *w, struct prof_regs *regs, uint64_t *flags,
    bool is_leaf)
{
    uint64_t key =
        regs->value[PROF_REG_PC] + (*flags & PROF_FRAME_EXACT ? 1 : 0);
    const struct prof_text_list *list = prof_modules_enter(w->modules);
    if (list == NULL)
        return PROF_STEP_FAILED;
    const struct prof_text *text = prof_text_find(list, prof_pc_of_key(key));
    struct prof_lookup lookup;
    enum prof_found found = text != NULL ? prof_lookup_rules(text, key, &lookup)
                                         : PROF_FOUND_NOTHING;
    enum prof_step end = PROF_STEP_FAILED;
    bool is_signal_frame = false;
    if (found == PROF_FOUND_RULES) {
        end =
            prof_step_apply(&lookup.rows.rules, lookup.source, regs, w->reader);
        is_signal_frame = lookup.rows.rules.is_signal_frame;
    } else if (found == PROF_FOUND_FIRST) {
        end = PROF_STEP_END;
    } else if (found == PROF_FOUND_SIGRETURN) {
        end = prof_step_sigreturn(regs, w->reader);
        is_signal_frame = true;
    }
    prof_modules_leave(w->modules, list);

    *flags = is_signal_frame ? PROF_FRAME_EXACT : 0;
    if (found == PROF_FOUND_NOTHING &&
        prof_guess(regs, key, is_leaf, w->modules, w->reader)) {
        *flags = PROF_FRAME_GUESSED;
        end = PROF_STEP_DONE;
    }
    return end;
}

/* The registers of the frame we are at, as far as compact rows know them. */
static void walked_registers(const struct walker *w, struct prof_regs *regs)
{
    regs->known = 0;
    prof_regs_set(regs, PROF_REG_SP, w->sp);
    prof_regs_set(regs, PROF_REG_FP, w->fp);
    prof_regs_set(regs, PROF_REG_PC, register_pc(w->key, w->flags));
}

static void leaf_registers(const struct walker *w, struct prof_regs *regs)
{
    if (w->ucontext != NULL)
        prof_regs_from_ucontext(regs, w->ucontext);
    else
        *regs = *w->leaf;
}

/*
 * Recover all registers of the frame we are at, by walking to it again from
 * the last frame whose registers are known.
 */
static bool recover_registers(const struct walker *w, struct prof_regs *regs)
{
    if (w->checkpoint_count == 0)
        leaf_registers(w, regs);
    else
        *regs = w->checkpoint;
    uint64_t flags =
        w->checkpoint_count == 0 ? PROF_FRAME_EXACT : w->checkpoint_flags;
    uint32_t count = w->checkpoint_count == 0 ? 1 : w->checkpoint_count;
    for (; count < w->walk->count; count++) {
        if (step_full(w, regs, &flags, count == 1) != PROF_STEP_DONE)
            return false;
        uint64_t wanted = w->walk->frames[count] & PROF_FRAME_ADDRESS;
        if (regs->value[PROF_REG_PC] != wanted)
            return false; /* the stack changed under us */
    }
    return true;
}

/* May we go on with this stack pointer? */
static bool is_progress(struct walker *w, uint64_t sp)
{
    if (sp > w->sp)
        return true;
    if (w->switches_left == 0)
        return false;
    w->switches_left--;
    return true;
}

static bool walk_full_row(struct walker *w)
{
    bool is_leaf = w->walk->count == 1;
    struct prof_regs regs;
    if (is_leaf)
        leaf_registers(w, &regs);
    else
        walked_registers(w, &regs);
    uint64_t flags = w->flags;
    enum prof_step end = step_full(w, &regs, &flags, is_leaf);
    bool is_recovered =
        end == PROF_STEP_UNKNOWN_REGISTER ||
        (end == PROF_STEP_DONE && !prof_regs_has(&regs, PROF_REG_FP));
    if (is_recovered) {
        if (!recover_registers(w, &regs))
            return stop(w, PROF_WALK_INCOMPLETE);
        flags = w->flags;
        end = step_full(w, &regs, &flags, is_leaf);
    }
    if (end == PROF_STEP_END)
        return stop(w, PROF_WALK_COMPLETE);
    if (end != PROF_STEP_DONE || !is_progress(w, regs.value[PROF_REG_SP]))
        return stop(w, PROF_WALK_INCOMPLETE);

    /* Before entering: from there on, a trail may lead further. */
    if (is_recovered || regs.known == PROF_REGS_ALL) {
        w->checkpoint = regs;
        w->checkpoint_count = w->walk->count + 1;
        w->checkpoint_flags = flags & PROF_FRAME_EXACT;
    }
    uint64_t fp =
        prof_regs_has(&regs, PROF_REG_FP) ? regs.value[PROF_REG_FP] : 0;
    return enter_frame(
        w, regs.value[PROF_REG_PC], regs.value[PROF_REG_SP], fp, flags,
        PROF_TRAIL_OTHER);
}

/* A row that walk_plain_rows() leaves to us; false when the walk is over. */
static bool walk_other_row(struct walker *w, uint32_t row)
{
    switch (prof_row_kind(row)) {
    case PROF_ROW_REALIGNED:
        return step_realigned(w, row);
    case PROF_ROW_END:
        if (w->trail != NULL)
            w->trail->end_key = w->key;
        return stop(w, PROF_WALK_COMPLETE);
    default:
        return walk_full_row(w); /* PROF_ROW_FULL, PROF_ROW_NONE */
    }
}

static void walk_frames(struct walker *w)
{
    /* A wild pc has no place in the cache's keys. */
    if (!prof_is_code_address(prof_pc_of_key(w->key)) && !walk_full_row(w))
        return;
    uint32_t row;
    while (walk_plain_rows(w, &row) && walk_other_row(w, row))
        continue;
}

EVERY_SAMPLE void prof_walk_stack(
    const struct prof_regs *regs, const void *ucontext,
    struct prof_reader *reader, struct prof_modules *modules,
    struct prof_row_cache *cache, struct prof_trail *trail,
    struct prof_walk *walk)
{
    struct walker w;
    w.ucontext = ucontext;
    w.reader = reader;
    w.modules = modules;
    w.cache = cache;
    w.walk = walk;
    w.trail = trail;
    w.followed_from = 0;
    w.switches_left = PROF_WALK_SWITCHES;
    w.leaf = regs;
    w.checkpoint_count = 0;
    w.key = regs->value[PROF_REG_PC] + 1;
    w.sp = regs->value[PROF_REG_SP];
    w.fp = prof_regs_has(regs, PROF_REG_FP) ? regs->value[PROF_REG_FP] : 0;
    w.flags = PROF_FRAME_EXACT;

    walk->count = 1;
    walk->frames[0] =
        (regs->value[PROF_REG_PC] & PROF_FRAME_ADDRESS) | PROF_FRAME_EXACT;
    walk->end = PROF_WALK_INCOMPLETE;

    walk_frames(&w);
    walk->sp = w.sp;
    walk->fp = w.fp;
    if (trail != NULL)
        prof_trail_finish(trail, w.followed_from);
}
