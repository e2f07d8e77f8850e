/* Calls that a signal handler makes up. */
#include "profiler/agent/sig_redirect.h"

#include <stdbool.h>

#include "tests/harness.h"

enum { THREAD = 4711, ALIKE = THREAD + 64 /* it has the same entry */ };

static ucontext_t context_at(greg_t pc, greg_t sp)
{
    ucontext_t context = {.uc_flags = 0};
    for (int i = 0; i < REG_RSP; i++)
        context.uc_mcontext.gregs[i] = 100 + i;
    context.uc_mcontext.gregs[REG_RIP] = pc;
    context.uc_mcontext.gregs[REG_RSP] = sp;
    return context;
}

/* Whether a sample of `context` is one of pc 0x1000, with sp 0x8000. */
static bool is_undone(uint32_t tid, ucontext_t context)
{
    const greg_t *regs = context.uc_mcontext.gregs;
    greg_t pc = regs[REG_RIP], sp = regs[REG_RSP];
    struct prof_redirect_place place = prof_redirect_undo(tid, &context);
    bool is_so = regs[REG_RIP] == 0x1000 && regs[REG_RSP] == 0x8000;
    CHECK(is_so || (regs[REG_RIP] == pc && regs[REG_RSP] == sp));
    prof_redirect_redo(&context, place);
    CHECK(regs[REG_RIP] == pc && regs[REG_RSP] == sp);
    return is_so;
}

TEST(redirect_gives_a_made_up_call_s_time_to_what_was_interrupted)
{
    ucontext_t interrupted = context_at(0x1000, 0x8000);
    CHECK(!is_undone(THREAD, context_at(0x2000, 0x7ff8)));
    prof_redirect_note(THREAD, &interrupted);
    CHECK(is_undone(THREAD, context_at(0x2000, 0x7ff8)));
}

TEST(redirect_leaves_alone_what_has_run)
{
    ucontext_t interrupted = context_at(0x1000, 0x8000);
    prof_redirect_note(THREAD, &interrupted);
    CHECK(!is_undone(THREAD, context_at(0x2004, 0x7fb0))); /* it has a frame */
    CHECK(!is_undone(THREAD, context_at(0x1000, 0x7ff8)));
    CHECK(!is_undone(THREAD + 1, context_at(0x2000, 0x7ff8)));
    ucontext_t later = context_at(0x2000, 0x7ff8);
    later.uc_mcontext.gregs[REG_RDI]++;
    CHECK(!is_undone(THREAD, later));
}

TEST(redirect_s_entry_is_of_one_thread_at_a_time)
{
    ucontext_t interrupted = context_at(0x1000, 0x8000);
    prof_redirect_note(THREAD, &interrupted);
    prof_redirect_note(ALIKE, &interrupted);
    CHECK(!is_undone(THREAD, context_at(0x2000, 0x7ff8)));
    CHECK(is_undone(ALIKE, context_at(0x2000, 0x7ff8)));
}
