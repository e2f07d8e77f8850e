/*
 * Stacks that are not what a thread begins with: fibers, small ones, ones that
 * were written over, and memory that only looks like the rest of a stack. All
 * lie between pages that cannot be read: a walk that left them would crash.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "profiler/unwind/sig_regs.h"
#include "profiler/unwind/stacks.h"
#include "tests/harness.h"
#include "tests/profiler/unwind/live.h"

#define NOINLINE __attribute__((noinline))

enum { PAGE = 4096, FRAMES_MAX = 2048, SMASHED_WALKS = 30000 };

static struct prof_cfi_engine *engine;
static uint64_t frames[FRAMES_MAX];
static struct prof_walk walk;

static void walk_from(const ucontext_t *context)
{
    walk = (struct prof_walk){.frames = frames, .capacity = FRAMES_MAX};
    engine->engine.walk(&engine->engine, context, &walk);
}

NOINLINE static void walk_here(void)
{
    ucontext_t context;
    (void)getcontext(&context);
    walk_from(&context);
    __asm__ volatile("");
}

/* So many readable bytes, whole pages, between two that are not. */
static char *map_guarded(size_t bytes)
{
    char *base = mmap(
        NULL, bytes + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(base != MAP_FAILED);
    CHECK_OK(mprotect(base + PAGE, bytes, PROT_READ | PROT_WRITE));
    return base + PAGE;
}

static void unmap_guarded(char *memory, size_t bytes)
{
    CHECK_OK(munmap(memory - PAGE, bytes + 2 * PAGE));
}

static uint64_t address_of(const void *pointer)
{
    return (uint64_t)(uintptr_t)pointer;
}

static void publish(const char *memory, size_t bytes)
{
    CHECK(prof_stacks_add(
        &engine->stacks, address_of(memory), address_of(memory) + bytes));
}

/* ---- fibers ---- */

static ucontext_t outside, inside;
static int room_pages;

/* From more than a page below the fiber's first frame, if there is room. */
static void in_fiber(void)
{
    volatile char *room = __builtin_alloca((size_t)room_pages * PAGE + 1);
    room[0] = 1;
    walk_here();
    __asm__ volatile("" ::"r"(room));
}

static void run_fiber(char *stack, size_t bytes)
{
    CHECK_OK(getcontext(&inside));
    inside.uc_stack.ss_sp = stack;
    inside.uc_stack.ss_size = bytes;
    inside.uc_link = &outside;
    makecontext(&inside, in_fiber, 0);
    CHECK_OK(swapcontext(&outside, &inside));
}

TEST(a_fibers_stack_is_walked_to_its_first_frame_when_it_is_known)
{
    enum { BYTES = 16 * PAGE };
    engine = live_create();
    char *stack = map_guarded(BYTES);
    room_pages = 2;
    run_fiber(stack, BYTES);
    CHECK_EQ(walk.end, PROF_WALK_INCOMPLETE);
    CHECK(walk.count >= 1);
    publish(stack, BYTES);
    run_fiber(stack, BYTES);
    CHECK_EQ(walk.end, PROF_WALK_COMPLETE);
    prof_stacks_remove(&engine->stacks, address_of(stack));
    unmap_guarded(stack, BYTES);
    live_destroy(engine);
}

/* As small as Go's: the walk itself is on it here, so a page and no less. */
TEST(a_stack_of_two_pages_is_walked_and_not_left)
{
    enum { BYTES = 2 * PAGE };
    engine = live_create();
    char *stack = map_guarded(BYTES);
    room_pages = 0;
    for (int i = 0; i < 2; i++) {
        run_fiber(stack, BYTES);
        CHECK(walk.count >= 2);
        publish(stack, BYTES);
    }
    CHECK_EQ(walk.end, PROF_WALK_COMPLETE);
    unmap_guarded(stack, BYTES);
    live_destroy(engine);
}

/* ---- smashed ---- */

static uint64_t draw(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return *seed >> 16;
}

/* What may stand in a stack: code, other slots, and anything. */
static uint64_t draw_word(uint64_t *seed, const char *stack, size_t bytes)
{
    uint64_t value = draw(seed);
    switch (draw(seed) % 5) {
    case 0:
        return address_of((void *)(uintptr_t)&qsort) + value % 65536;
    case 1:
        return address_of((void *)(uintptr_t)&draw_word) + value % 8192;
    case 2:
        return address_of(stack) + value % (bytes + 64) - 32;
    case 3:
        return value % 3;
    default:
        return value << 16 ^ draw(seed);
    }
}

static void smash(
    uint64_t *seed, char *stack, size_t bytes, ucontext_t *context)
{
    for (size_t at = 0; at < bytes; at += 8) {
        uint64_t word = draw_word(seed, stack, bytes);
        memcpy(stack + at, &word, sizeof word);
    }
    greg_t *registers = context->uc_mcontext.gregs;
    for (unsigned i = 0; i < PROF_REG_COUNT; i++)
        registers[PROF_GREG_OF_COLUMN[i]] =
            (greg_t)draw_word(seed, stack, bytes);
    registers[REG_RSP] =
        (greg_t)(address_of(stack) + draw(seed) % (bytes / 8) * 8);
}

static void walk_smashed(bool is_known)
{
    enum { BYTES = 2 * PAGE };
    uint64_t seed = 1, ends[PROF_WALK_INCOMPLETE + 1] = {0};
    ucontext_t context;
    engine = live_create();
    char *stack = map_guarded(BYTES);
    if (is_known)
        publish(stack, BYTES);
    CHECK_OK(getcontext(&context));
    for (unsigned i = 0; i < SMASHED_WALKS; i++) {
        if (i % 16 == 0)
            smash(&seed, stack, BYTES, &context);
        context.uc_mcontext.gregs[REG_RIP] =
            (greg_t)draw_word(&seed, stack, BYTES);
        walk_from(&context);
        CHECK(walk.count >= 1 && walk.count <= PROF_CFI_FRAMES_DEFAULT);
        ends[walk.end]++;
    }
    /* Some happen to come to a word that is an end; the rest say so. */
    CHECK(ends[PROF_WALK_INCOMPLETE] > SMASHED_WALKS / 2);
    unmap_guarded(stack, BYTES);
    live_destroy(engine);
}

TEST(a_smashed_stack_ends_early_and_says_so)
{
    walk_smashed(true);
}

TEST(a_smashed_stack_nobody_told_of_ends_within_its_page)
{
    walk_smashed(false);
}

/* ---- memory above a thread's stack ---- */

struct wide {
    char *memory;
    size_t stack_bytes, bytes;
    struct prof_walk whole, clipped, ordinary;
};

/*
 * A mapping that is a thread's stack and, above it, something else: a frame
 * pointer that leads there is believed only where nobody clips the stack.
 */
static void *walk_into_neighbour(void *owner)
{
    struct wide *wide = owner;
    uint64_t *frame =
        (uint64_t *)(void *)(wide->memory + wide->stack_bytes + 256);
    volatile uint64_t nothing[32] = {0}; /* no return address here */
    ucontext_t context;
    frame[0] = 0;
    frame[1] = address_of((void *)(uintptr_t)&qsort) + 1;
    (void)getcontext(&context);
    greg_t *registers = context.uc_mcontext.gregs;
    registers[REG_RSP] = (greg_t)(uintptr_t)nothing;
    registers[REG_RIP] = registers[REG_RSP]; /* code nobody told of */
    registers[REG_RBP] = (greg_t)address_of(frame);
    engine->clips_stacks = false;
    walk_from(&context);
    wide->whole = walk;
    engine->clips_stacks = true;
    walk_from(&context);
    wide->clipped = walk;
    walk_here();
    wide->ordinary = walk;
    return NULL;
}

TEST(a_clipped_stack_ends_at_the_threads_own_block)
{
    struct wide wide = {.stack_bytes = 64 * PAGE, .bytes = 80 * PAGE};
    pthread_attr_t attributes;
    pthread_t thread;
    if ((getauxval(AT_HWCAP2) & PROF_HWCAP2_THREAD_POINTER) == 0)
        return; /* never asked for on such a processor */
    engine = live_create();
    wide.memory = map_guarded(wide.bytes);
    publish(wide.memory, wide.bytes);
    CHECK_OK(pthread_attr_init(&attributes));
    CHECK_OK(pthread_attr_setstack(&attributes, wide.memory, wide.stack_bytes));
    CHECK_OK(pthread_create(&thread, &attributes, walk_into_neighbour, &wide));
    CHECK_OK(pthread_join(thread, NULL));
    CHECK_OK(pthread_attr_destroy(&attributes));
    CHECK_EQ(wide.whole.count, 2);
    CHECK_EQ(wide.clipped.count, 1);
    CHECK_EQ(wide.clipped.end, PROF_WALK_INCOMPLETE);
    CHECK_EQ(wide.ordinary.end, PROF_WALK_COMPLETE);
    unmap_guarded(wide.memory, wide.bytes);
    live_destroy(engine);
}
