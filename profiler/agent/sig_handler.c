/*
 * The sampling signal's handler: unwinds the interrupted thread and writes one
 * record into the ring. Signals that are not ours go to the program.
 */
#include "profiler/agent/sig_handler.h"

#include "profiler/agent/sig_core.h"
#include "profiler/agent/sig_expiry.h"
#include "profiler/agent/sig_from_kernel_x86_64.h"
#include "profiler/agent/sig_interrupt.h"
#include "profiler/agent/sig_pass.h"
#include "profiler/agent/sig_presence.h"
#include "profiler/agent/sig_redirect.h"
#include "profiler/agent/sig_rest.h"
#include "profiler/agent/sig_timer.h"
#include "profiler/agent/sys.h"
#include "profiler/base/cycles_x86_64.h"

#include <signal.h>
#include <ucontext.h>

/* What a sample takes of the stack: 2 050 to 2 550 bytes measured, and some. */
enum { SAMPLE_STACK_BYTES = 3072 };

/*
 * Whether a tick is one of those to be passed over. One that is taken stands
 * for those before, of whichever thread, so that their sum is right; chance
 * says which, but never later than twice the stride.
 */
static bool is_passed_over(struct prof_expiry *expiry)
{
    struct wire_header *header = prof_core.ring.header;
    uint32_t stride =
        atomic_load_explicit(&header->tick_stride, memory_order_relaxed);
    if (stride <= 1 || (expiry->flags & WIRE_SAMPLE_TICK) == 0)
        return false;
    uint32_t passed =
        atomic_load_explicit(&header->passed_over, memory_order_relaxed);
    bool is_passed =
        cycles_random() % stride != 0 && passed < 2 * stride * expiry->count;
    if (is_passed)
        atomic_fetch_add_explicit(
            &header->passed_over, expiry->count, memory_order_relaxed);
    else
        expiry->count += atomic_exchange_explicit(
            &header->passed_over, 0, memory_order_relaxed);
    return is_passed;
}

/* For the governor: what sampling costs the program. */
static void note_cost(uint64_t start_cycles)
{
    struct wire_header *header = prof_core.ring.header;
    uint64_t cycles = cycles_now() - start_cycles;
    bool is_long = cycles > WIRE_HANDLED_CYCLES_MAX;
    atomic_fetch_add_explicit(
        is_long ? &header->handled_long_count : &header->handled_cycles,
        is_long ? 1 : cycles, memory_order_relaxed);
    atomic_fetch_add_explicit(&header->handled_count, 1, memory_order_relaxed);
}

static struct prof_scratch *take_scratch(uint32_t tid)
{
    for (uint32_t i = 0; i < PROF_SCRATCH_COUNT; i++) {
        struct prof_scratch *scratch =
            &prof_core.scratch[(tid + i) % PROF_SCRATCH_COUNT];
        /* Pairs with the release in record_sample(). */
        if (atomic_exchange_explicit(
                &scratch->is_taken, 1, memory_order_acquire) == 0)
            return scratch;
    }
    prof_ring_count_loss(&prof_core.ring, WIRE_LOSS_BUSY);
    return NULL;
}

static void write_sample(
    const struct wire_sample *head, const uint64_t *frames, uint32_t count)
{
    struct prof_claim claim = prof_ring_claim(
        &prof_core.ring, (uint32_t)(sizeof *head + count * sizeof *frames),
        head->record.tid);
    if (claim.bytes == NULL)
        return;

    struct wire_sample *sample = claim.bytes;
    *sample = *head;
    for (uint32_t i = 0; i < count; i++)
        sample->frames[i] = frames[i];
    prof_ring_commit(&prof_core.ring, &claim);
}

static void record_sample(struct prof_expiry expiry, ucontext_t *context)
{
    uint32_t tid = prof_core_tid();
    struct prof_scratch *scratch = take_scratch(tid);
    if (scratch == NULL)
        return;

    struct wire_sample head = {
        .record =
            {.type = WIRE_SAMPLE,
             .flags = expiry.flags,
             .tid = tid,
             .time_ns = prof_core_now_ns()},
        .expiries = expiry.count};
    struct prof_walk walk = {
        .frames = scratch->frames, .capacity = WIRE_FRAMES_MAX};
    struct prof_redirect_place place = prof_redirect_undo(tid, context);
    prof_core.engine->walk(prof_core.engine, context, &walk);

    head.frame_count = walk.count;
    if (prof_is_from_kernel(context))
        head.record.flags |= WIRE_SAMPLE_FROM_KERNEL;
    prof_redirect_redo(context, place);
    if (walk.end == PROF_WALK_CUT)
        head.record.flags |= WIRE_SAMPLE_CUT;
    if (walk.end == PROF_WALK_INCOMPLETE)
        head.record.flags |= WIRE_SAMPLE_INCOMPLETE;
    write_sample(&head, scratch->frames, walk.count);

    /* Pairs with the acquire in take_scratch(). */
    atomic_store_explicit(&scratch->is_taken, 0, memory_order_release);
}

/*
 * The kernel puts our frame on a thread's alternate stack, however small that
 * is. Of MINSIGSTKSZ bytes its frame leaves 270 here, and what lies below is
 * the program's.
 */
static bool is_cramped(const ucontext_t *context)
{
    uintptr_t room = (uintptr_t)__builtin_frame_address(0) -
                     (uintptr_t)context->uc_stack.ss_sp;
    return room < context->uc_stack.ss_size && room < SAMPLE_STACK_BYTES;
}

/* Apart, so that its frame is not there where there is no room for it. */
EVERY_SAMPLE __attribute__((noinline)) static void handle_expiry(
    struct prof_expiry expiry, void *ucontext)
{
    uint64_t start_cycles = cycles_now();
    if (!is_passed_over(&expiry))
        record_sample(expiry, ucontext);
    note_cost(start_cycles);
}

static bool is_wanted(struct prof_expiry expiry)
{
    /* Pairs with the release in prof_core_start(): the ring is there. */
    return atomic_load_explicit(&prof_core.is_active, memory_order_acquire) &&
           !atomic_load_explicit(
               &prof_core.ring.header->is_stopped, memory_order_relaxed) &&
           atomic_load_explicit(
               &prof_core.ring.header->rest, memory_order_relaxed) !=
               WIRE_AT_REST &&
           !((expiry.flags & WIRE_SAMPLE_TICK) && prof_presence_is_given_up());
}

EVERY_SAMPLE void prof_handle_signal(int signal, void *info, void *ucontext)
{
    struct prof_expiry expiry = prof_expiry_read(signal, info);
    if (expiry.count == 0) {
        prof_signal_pass_on(signal, info, ucontext);
        return;
    }
    if (expiry.is_change) {
        prof_timer_change_by_event();
    } else if (!is_wanted(expiry)) {
        if (expiry.flags & WIRE_SAMPLE_TICK)
            prof_timer_rest(prof_expiry_timer(info));
    } else if (is_cramped(ucontext)) {
        prof_ring_count_loss(&prof_core.ring, WIRE_LOSS_BUSY);
    } else {
        if (expiry.flags & WIRE_SAMPLE_TICK)
            prof_timer_wake(prof_expiry_timer(info));
        handle_expiry(expiry, ucontext);
    }
    prof_call_interrupt_for_waiting(ucontext);
}
