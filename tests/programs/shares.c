/*
 * Ground truth: burns CPU in known shares along known stacks, and prints what
 * each part really used, by its thread's own CPU clock, as JSON.
 *
 *     shares SECONDS [GO]    in all, over three threads
 *
 * With GO it begins when its standard input says so.
 *
 * A part is a function; its share is the time between entering and leaving it,
 * so reading the clock counts to the part that reads it. Shares are the
 * functions' totals, callees included.
 */
#include <dlfcn.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/programs/burn.h"
#include "tests/programs/shares_library.h"

/* One function that the compiler leaves whole, under its own name. */
#define WHOLE  __attribute__((noipa))
#define INLINE static inline __attribute__((always_inline))

enum { DEPTH = 200, ROUNDS = 20, THREADS = 3, PARTS = 7 };

/* The lines of the loop in fold(), for the reader of the profile to check. */
enum { FOLD_FIRST_LINE = __LINE__ + 4, FOLD_LAST_LINE = __LINE__ + 7 };

INLINE uint64_t fold(uint64_t seed)
{
    for (int step = 0; step < 8192; step++) {
        seed = (seed ^ (seed >> 29)) * 0xbf58476d1ce4e5b9u;
        __asm__ volatile("" : "+r"(seed));
    }
    return seed;
}

INLINE uint64_t knead(uint64_t seed)
{
    return fold(seed) + 1;
}

WHOLE static uint64_t part_inlined(uint64_t deadline_ns)
{
    uint64_t seed = deadline_ns;
    do
        seed = knead(seed);
    while (thread_cpu_ns() < deadline_ns);
    return seed;
}

WHOLE static uint64_t descend(int depth, uint64_t deadline_ns)
{
    if (depth == 0)
        return burn_until(deadline_ns);
    uint64_t seed = descend(depth - 1, deadline_ns);
    /* What must happen after the call keeps it from becoming a loop. */
    __asm__ volatile("" : "+r"(seed));
    return seed;
}

WHOLE static uint64_t part_deep(uint64_t deadline_ns)
{
    return descend(DEPTH, deadline_ns) + 1;
}

WHOLE static uint64_t pointed_at(uint64_t deadline_ns)
{
    return burn_until(deadline_ns) + 1;
}

static uint64_t (*volatile pointer)(uint64_t) = pointed_at;

WHOLE static uint64_t part_pointer(uint64_t deadline_ns)
{
    return pointer(deadline_ns) + 1;
}

WHOLE static uint64_t part_linked(uint64_t deadline_ns)
{
    return shares_linked(deadline_ns) + 1;
}

/* Opened and closed every time: loading is part of the share. */
WHOLE static uint64_t part_loaded(uint64_t deadline_ns)
{
    void *library = dlopen(SHARES_LOADED_PATH, RTLD_NOW | RTLD_LOCAL);
    uint64_t (*work)(uint64_t) = NULL;
    if (library != NULL)
        *(void **)&work = dlsym(library, "shares_loaded");
    if (work == NULL) {
        (void)fprintf(stderr, "shares: %s\n", dlerror());
        exit(1);
    }
    uint64_t seed = work(deadline_ns);
    dlclose(library);
    return seed;
}

WHOLE static uint64_t part_first_worker(uint64_t deadline_ns)
{
    return burn_until(deadline_ns) + 1;
}

WHOLE static uint64_t part_second_worker(uint64_t deadline_ns)
{
    return burn_until(deadline_ns) + 1;
}

static struct part {
    const char *name;
    int thread;
    int percent; /* of the whole program */
    uint64_t (*run)(uint64_t deadline_ns);
    uint64_t used_ns;
} parts[PARTS] = {
    {"part_inlined", 0, 20, part_inlined, 0},
    {"part_deep", 0, 15, part_deep, 0},
    {"part_pointer", 0, 10, part_pointer, 0},
    {"part_linked", 0, 12, part_linked, 0},
    {"part_loaded", 0, 8, part_loaded, 0},
    {"part_first_worker", 1, 25, part_first_worker, 0},
    {"part_second_worker", 2, 10, part_second_worker, 0},
};

static uint64_t round_ns;

static void *run_thread(void *number)
{
    int thread = (int)(intptr_t)number;
    for (int round = 0; round < ROUNDS; round++) {
        for (struct part *part = parts; part < parts + PARTS; part++) {
            if (part->thread != thread)
                continue;
            uint64_t start_ns = thread_cpu_ns();
            part->run(start_ns + round_ns / 100 * (uint64_t)part->percent);
            part->used_ns += thread_cpu_ns() - start_ns;
        }
    }
    return NULL;
}

static void print_truth(void)
{
    printf(
        "{\"total_ns\": %" PRIu64 ", \"depth\": %d, "
        "\"fold_lines\": [%d, %d], \"parts\": {",
        clock_ns(CLOCK_PROCESS_CPUTIME_ID), DEPTH, FOLD_FIRST_LINE,
        FOLD_LAST_LINE);
    for (int i = 0; i < PARTS; i++) {
        printf(
            "%s\"%s\": %" PRIu64, i ? ", " : "", parts[i].name,
            parts[i].used_ns);
    }
    printf("}}\n");
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? atof(argv[1]) : 10;
    if (argc > 2 && getchar() == EOF)
        return 1;
    round_ns = (uint64_t)(seconds * (double)NS_PER_SECOND) / ROUNDS;

    pthread_t workers[THREADS];
    for (int i = 1; i < THREADS; i++) {
        if (pthread_create(
                &workers[i], NULL, run_thread, (void *)(intptr_t)i) != 0)
            return 1;
    }
    run_thread((void *)0);
    for (int i = 1; i < THREADS; i++)
        pthread_join(workers[i], NULL);
    print_truth();
    return 0;
}
