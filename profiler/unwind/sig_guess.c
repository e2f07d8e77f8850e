/* Callers without CFI; see the header. */
#include "profiler/unwind/sig_guess.h"

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
        return guess_by_frame_pointer(regs, modules, reader);
    if (!prof_is_code_address(pc))
        return guess_by_call(regs, modules, reader);
    /* Code nobody told us of, or a wild pointer that looks like some. */
    return guess_by_frame_pointer(regs, modules, reader) ||
           guess_by_call(regs, modules, reader);
}
