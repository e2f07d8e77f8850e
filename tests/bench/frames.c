/*
 * frames [warm]: nanoseconds a frame, our walk against libunwind's two, on the
 * same stacks in one run.
 *
 * Warm: a recursion of several functions, walked over and over. Cold: a chain
 * of distinct functions, walked once after other memory has gone through the
 * processor's caches, as a program's own work does between two samples.
 * Figures are medians of several rounds; only their ratios mean anything.
 */
#define UNW_LOCAL_ONLY
#include <libunwind.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <ucontext.h>

#include "tests/profiler/unwind/live.h"

enum { FRAMES_MAX = 1024, ROUNDS = 31, COLD_ROUNDS = 61 };

typedef uint32_t walk_function(void *context);

static struct prof_cfi_engine *cfi;
static struct prof_trail *trail; /* the one of our stack */
static uint64_t frames[FRAMES_MAX];
static void *pointers[FRAMES_MAX];
static uint8_t *evicted;

static uint64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint32_t walk_ours(void *context)
{
    struct prof_walk walk = {.frames = frames, .capacity = FRAMES_MAX};
    cfi->engine.walk(&cfi->engine, context, &walk);
    return walk.count;
}

/* As for a stack that nothing is known of: no step can be followed. */
static uint32_t walk_strange(void *context)
{
    trail->old_count = 0;
    return walk_ours(context);
}

/* What the measuring itself costs, above all with cold caches. */
static uint32_t walk_nothing(void *context)
{
    __asm__ volatile("" ::"r"(context) : "memory");
    return 1;
}

static uint32_t walk_trace(void *context)
{
    (void)context;
    return (uint32_t)unw_backtrace(pointers, FRAMES_MAX);
}

static uint32_t walk_steps(void *context)
{
    unw_cursor_t cursor;
    uint32_t count = 0;
    (void)unw_init_local(&cursor, context);
    do {
        unw_word_t pc;
        (void)unw_get_reg(&cursor, UNW_REG_IP, &pc);
        frames[count++] = pc;
    } while (count < FRAMES_MAX && unw_step(&cursor) > 0);
    return count;
}

static const struct {
    const char *name;
    walk_function *walk;
} WALKS[] = {
    {"nothing", walk_nothing},     {"ours", walk_ours},
    {"ours, first", walk_strange}, {"unw_backtrace", walk_trace},
    {"unw_step", walk_steps},
};
enum { WALK_COUNT = sizeof WALKS / sizeof WALKS[0] };

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, compare);
    return values[count / 2];
}

static void evict(size_t bytes)
{
    for (size_t i = 0; i < bytes; i += 64)
        evicted[i]++;
}

static void measure_warm(ucontext_t *context)
{
    for (int i = 0; i < WALK_COUNT; i++) {
        double rounds[ROUNDS];
        uint32_t count = WALKS[i].walk(context);
        uint32_t repeat = (i == WALK_COUNT - 1 ? 20000u : 400000u) / count + 1;
        for (int round = 0; round < ROUNDS; round++) {
            uint64_t start = now_ns();
            for (uint32_t k = 0; k < repeat; k++)
                (void)WALKS[i].walk(context);
            rounds[round] = (double)(now_ns() - start) / repeat / (double)count;
        }
        printf(
            "  %-14s %4u frames  %7.2f ns a frame\n", WALKS[i].name, count,
            median(rounds, ROUNDS));
    }
}

static void measure_cold(ucontext_t *context, size_t bytes)
{
    for (int i = 0; i < WALK_COUNT; i++) {
        double rounds[COLD_ROUNDS];
        uint32_t count = WALKS[i].walk(context);
        for (int round = 0; round < COLD_ROUNDS; round++) {
            evict(bytes);
            uint64_t start = now_ns();
            count = WALKS[i].walk(context);
            rounds[round] = (double)(now_ns() - start);
        }
        printf(
            "  %-14s %4u frames  %7.0f ns a walk\n", WALKS[i].name, count,
            median(rounds, COLD_ROUNDS));
    }
}

__attribute__((noinline)) static void at_leaf(size_t evict_bytes)
{
    ucontext_t context;
    (void)getcontext(&context);
    (void)walk_ours(&context);
    for (int i = 0; i < PROF_CFI_TRAILS; i++)
        if (cfi->trails[i].old_count != 0)
            trail = &cfi->trails[i];
    if (evict_bytes == 0)
        measure_warm(&context);
    else
        measure_cold(&context, evict_bytes);
    __asm__ volatile("");
}

/* Three shapes of frame in turn: small, large, with a frame pointer. */
__attribute__((noinline)) static void recurse(int depth, size_t evict_bytes);

__attribute__((noinline)) static void recurse_large(
    int depth, size_t evict_bytes)
{
    volatile char room[400];
    room[depth % 400] = 1;
    recurse(depth, evict_bytes);
    __asm__ volatile("" ::"r"(room[0]));
}

__attribute__((noinline, optimize("no-omit-frame-pointer"))) static void
recurse_framed(int depth, size_t evict_bytes)
{
    recurse(depth, evict_bytes);
    __asm__ volatile("");
}

static void recurse(int depth, size_t evict_bytes)
{
    if (depth <= 0)
        at_leaf(evict_bytes);
    else if (depth % 8 == 3)
        recurse_framed(depth - 2, evict_bytes);
    else if (depth % 4 == 2)
        recurse_large(depth - 2, evict_bytes);
    else
        recurse(depth - 1, evict_bytes);
    __asm__ volatile("");
}

/* 64 distinct functions, a page or so apart, as in a large program. */
typedef void link_function(int left, size_t evict_bytes);
static link_function *const LINKS[];

#define LINK(n)                                                                \
    __attribute__((noinline)) static void link_##n(                            \
        int left, size_t evict_bytes)                                          \
    {                                                                          \
        __asm__ volatile("jmp 1f; .skip 3 * 1" #n "; 1:");                     \
        if (left == 0)                                                         \
            at_leaf(evict_bytes);                                              \
        else                                                                   \
            LINKS[left - 1](left - 1, evict_bytes);                            \
        __asm__ volatile("");                                                  \
    }
#define LINK4(n)  LINK(n##0) LINK(n##1) LINK(n##2) LINK(n##3)
#define LINK16(n) LINK4(n##0) LINK4(n##1) LINK4(n##2) LINK4(n##3)
LINK16(0)
LINK16(1)
LINK16(2)
LINK16(3)
#define NAME(n)   link_##n,
#define NAME4(n)  NAME(n##0) NAME(n##1) NAME(n##2) NAME(n##3)
#define NAME16(n) NAME4(n##0) NAME4(n##1) NAME4(n##2) NAME4(n##3)
static link_function *const LINKS[] = {NAME16(0) NAME16(1) NAME16(2) NAME16(3)};

int main(int argc, char **argv)
{
    static const int DEPTHS[] = {5, 50, 200};
    static const size_t EVICT_MB[] = {1, 4, 16, 64};
    static const int CHAINS[] = {13, 23, 60};
    cfi = live_create();
    evicted = calloc(64, 1 << 20);
    if (evicted == NULL)
        return 1;
    for (unsigned i = 0; i < 3; i++) {
        printf("warm, depth %d\n", DEPTHS[i]);
        recurse(DEPTHS[i], 0);
    }
    bool is_warm_only = argc > 1 && strcmp(argv[1], "warm") == 0;
    for (unsigned i = 0; i < 4 && !is_warm_only; i++)
        for (unsigned k = 0; k < 3; k++) {
            printf(
                "%d distinct functions, %zu MiB in between\n", CHAINS[k],
                EVICT_MB[i]);
            LINKS[CHAINS[k]](CHAINS[k], EVICT_MB[i] << 20);
        }
    free(evicted);
    live_destroy(cfi);
    return 0;
}
