/* The live walk of the target's own threads; see the header. */
#include "profiler/unwind/sig_engine.h"

#include "profiler/unwind/modules.h"
#include "profiler/unwind/sig_walker.h"

#define PAGE_BYTES UINT64_C(4096)

static bool find_stack(
    const struct prof_cfi_engine *cfi, uint64_t address, uint64_t *low,
    uint64_t *high)
{
    if (!prof_stacks_find(&cfi->stacks, address, low, high))
        return false;
    if (__builtin_expect(!cfi->clips_stacks, 1))
        return true;
    uint64_t top = prof_thread_pointer();
    if (top - *low >= *high - *low)
        return true; /* another stack: an alternate one, a fiber's */
    *high = top;
    return address < top;
}

/* Another stack: what a signal on an alternate stack has interrupted. */
static bool switch_stack(struct prof_reader *reader, uint64_t address)
{
    uint64_t low, high;
    if (!find_stack(reader->owner, address, &low, &high))
        return false;
    prof_reader_set_window(reader, low, high, low);
    return true;
}

/* On a stack nobody told us of, the page of `sp` is certain to be there. */
static void start_window(
    struct prof_reader *reader, const struct prof_cfi_engine *cfi, uint64_t sp)
{
    uint64_t low, high;
    if (!find_stack(cfi, sp, &low, &high)) {
        low = sp & ~(PAGE_BYTES - 1);
        high = low + PAGE_BYTES;
    }
    if (sp - low > PROF_RED_ZONE_BYTES)
        low = sp - PROF_RED_ZONE_BYTES;
    prof_reader_set_window(reader, low, high, low);
}

/* The trail of the stack that ends at `top`; NULL when it is taken. */
static struct prof_trail *take_trail(struct prof_cfi_engine *cfi, uint64_t top)
{
    /* Stacks are a multiple of a page apart, mostly by equal distances. */
    uint64_t hash = (top / PAGE_BYTES) * UINT64_C(0x9e3779b97f4a7c15);
    struct prof_trail *trail = &cfi->trails[hash >> 32 & (PROF_CFI_TRAILS - 1)];
    uint32_t version =
        atomic_load_explicit(&cfi->modules.version, memory_order_acquire);
    return prof_trail_begin(trail, top, version) ? trail : NULL;
}

EVERY_SAMPLE void prof_cfi_walk(
    const struct prof_engine *engine, const void *ucontext,
    struct prof_walk *walk)
{
    /* The interface is const for engines that keep nothing; ours is always
     * the first member of a block that is writable. */
    struct prof_cfi_engine *cfi = (struct prof_cfi_engine *)(uintptr_t)engine;
    struct prof_regs regs;
    prof_regs_walked_from_ucontext(&regs, ucontext);

    prof_row_cache_prefetch(&cfi->cache, regs.value[PROF_REG_PC] + 1);

    struct prof_reader reader;
    reader.refill = switch_stack;
    reader.owner = cfi;
    start_window(&reader, cfi, regs.value[PROF_REG_SP]);
    uint32_t capacity = walk->capacity;
    if (walk->capacity > cfi->frames_max)
        walk->capacity = cfi->frames_max;
    prof_walk_stack(
        &regs, ucontext, &reader, &cfi->modules, &cfi->cache,
        take_trail(cfi, reader.low + reader.span), walk);
    walk->capacity = capacity;
}

void prof_cfi_engine_init(struct prof_cfi_engine *cfi)
{
    cfi->engine.name = "cfi";
    cfi->engine.walk = prof_cfi_walk;
    cfi->frames_max = PROF_CFI_FRAMES_DEFAULT;
    cfi->modules.is_settled = true;
}

void prof_cfi_engine_after_fork(struct prof_cfi_engine *cfi)
{
    prof_modules_after_fork(&cfi->modules);
    for (unsigned i = 0; i < PROF_CFI_TRAILS; i++) {
        cfi->trails[i].old_count = 0; /* it may have been half written */
        atomic_store_explicit(
            &cfi->trails[i].is_taken, 0, memory_order_relaxed);
    }
}
