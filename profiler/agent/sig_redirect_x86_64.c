/*
 * Calls that handlers make up, x86-64; see the header.
 *
 * Such a call has pushed a return address, and all other registers are what
 * they were. No memory is read. Two threads may share an entry: then it is of
 * neither, or of the one whose number it has.
 */
#include "profiler/agent/sig_redirect.h"

#include <stdatomic.h>
#include <stdbool.h>

enum { ENTRIES = 64, KEPT = REG_RSP /* general registers before it */ };

static struct entry {
    _Atomic uint32_t tid; /* 0: it is being written, or of nobody */
    _Atomic int64_t pc, sp;
    _Atomic int64_t registers[KEPT];
} entries[ENTRIES];

static void put(_Atomic int64_t *place, int64_t value)
{
    atomic_store_explicit(place, value, memory_order_relaxed);
}

static int64_t get(_Atomic int64_t *place)
{
    return atomic_load_explicit(place, memory_order_relaxed);
}

SIGNAL_SAFE void prof_redirect_note(uint32_t tid, const ucontext_t *context)
{
    struct entry *entry = &entries[tid % ENTRIES];
    const greg_t *regs = context->uc_mcontext.gregs;
    atomic_store_explicit(&entry->tid, 0, memory_order_relaxed);
    put(&entry->pc, regs[REG_RIP]);
    put(&entry->sp, regs[REG_RSP]);
    for (int i = 0; i < KEPT; i++)
        put(&entry->registers[i], regs[i]);
    /* Read by the same thread, unless another takes the entry meanwhile. */
    atomic_store_explicit(&entry->tid, tid, memory_order_relaxed);
}

static bool is_made_up(struct entry *entry, uint32_t tid, const greg_t *regs)
{
    if (atomic_load_explicit(&entry->tid, memory_order_relaxed) != tid ||
        regs[REG_RSP] != get(&entry->sp) - (int64_t)sizeof(uint64_t) ||
        regs[REG_RIP] == get(&entry->pc))
        return false;
    for (int i = 0; i < KEPT; i++) {
        if (regs[i] != get(&entry->registers[i]))
            return false;
    }
    return true;
}

SIGNAL_SAFE struct prof_redirect_place prof_redirect_undo(
    uint32_t tid, ucontext_t *context)
{
    struct entry *entry = &entries[tid % ENTRIES];
    greg_t *regs = context->uc_mcontext.gregs;
    struct prof_redirect_place place = {regs[REG_RIP], regs[REG_RSP]};
    if (is_made_up(entry, tid, regs)) {
        regs[REG_RIP] = get(&entry->pc);
        regs[REG_RSP] = get(&entry->sp);
    }
    return place;
}

SIGNAL_SAFE void prof_redirect_redo(
    ucontext_t *context, struct prof_redirect_place place)
{
    context->uc_mcontext.gregs[REG_RIP] = place.pc;
    context->uc_mcontext.gregs[REG_RSP] = place.sp;
}
