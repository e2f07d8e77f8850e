/* Callers without CFI; see the header. */
#include "profiler/unwind/sig_guess.h"

#include "profiler/unwind/sig_direct_call.h"
#include "profiler/unwind/sig_lookup.h"

static bool is_executable(struct prof_modules *modules, uint64_t pc)
{
    const struct prof_text_list *list = prof_modules_enter(modules);
    if (list == NULL)
        return false;
    bool is_inside = prof_text_find(list, pc) != NULL;
    prof_modules_leave(modules, list);
    return is_inside;
}

static void set_guessed(
    struct prof_regs *regs, uint64_t pc, uint64_t sp, uint64_t fp)
{
    regs->value[PROF_REG_PC] = pc;
    regs->value[PROF_REG_SP] = sp;
    regs->value[PROF_REG_FP] = fp;
    regs->known = PROF_REGS_WALKED;
}

static bool guess_by_frame_pointer(
    struct prof_regs *regs, struct prof_modules *modules,
    struct prof_reader *reader)
{
    uint64_t sp = regs->value[PROF_REG_SP], fp = regs->value[PROF_REG_FP];
    uint64_t pc, next_fp;
    if (!prof_regs_has(regs, PROF_REG_FP) || fp % 8 != 0 ||
        fp - sp >= PROF_GUESS_BYTES_MAX ||
        !prof_reader_load(reader, fp, &next_fp) ||
        !prof_reader_load(reader, fp + 8, &pc) ||
        (next_fp <= fp && next_fp != 0) ||
        (pc != 0 && !is_executable(modules, pc - 1)))
        return false;
    set_guessed(regs, pc, fp + 16, next_fp);
    return true;
}

/* The frame pointer is the caller's, and the return address on top. */
static bool is_frameless(
    const struct prof_regs *regs, struct prof_modules *modules, uint64_t ret_pc)
{
    uint64_t pc = regs->value[PROF_REG_PC];
    const struct prof_text_list *list = prof_modules_enter(modules);
    if (list == NULL)
        return false;
    const struct prof_text *caller = prof_text_find(list, ret_pc - 1);
    const struct prof_text *callee = prof_text_find(list, pc);
    bool is_so = caller != NULL && callee != NULL &&
                 prof_direct_call_is_frameless(caller, ret_pc, callee, pc);
    prof_modules_leave(modules, list);
    return is_so;
}

static bool guess_in_code(
    struct prof_regs *regs, bool is_leaf, struct prof_modules *modules,
    struct prof_reader *reader)
{
    const struct prof_regs leaf = *regs;
    uint64_t sp = leaf.value[PROF_REG_SP], ret_pc;
    if (!guess_by_frame_pointer(regs, modules, reader))
        return false;
    if (is_leaf && prof_reader_load(reader, sp, &ret_pc) &&
        is_frameless(&leaf, modules, ret_pc))
        set_guessed(regs, ret_pc, sp + 8, leaf.value[PROF_REG_FP]);
    return true;
}

/* A call through a wild pointer has pushed its return address and no more. */
static bool guess_by_call(
    struct prof_regs *regs, struct prof_modules *modules,
    struct prof_reader *reader)
{
    uint64_t sp = regs->value[PROF_REG_SP], pc;
    if (!prof_reader_load(reader, sp, &pc) || !is_executable(modules, pc - 1))
        return false;
    set_guessed(regs, pc, sp + 8, regs->value[PROF_REG_FP]);
    return true;
}

bool prof_guess(
    struct prof_regs *regs, uint64_t key, bool is_leaf,
    struct prof_modules *modules, struct prof_reader *reader)
{
    uint64_t pc = prof_pc_of_key(key);
    if (!is_leaf || is_executable(modules, pc))
        return guess_in_code(regs, is_leaf, modules, reader);
    if (!prof_is_code_address(pc))
        return guess_by_call(regs, modules, reader);
    /* Code nobody told us of, or a wild pointer that looks like some. */
    return guess_by_frame_pointer(regs, modules, reader) ||
           guess_by_call(regs, modules, reader);
}
