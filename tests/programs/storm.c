/*
 * All that is delicate in a process, at once, for somebody to attach to and go
 * again: storm. Threads that open and close libraries, take and give back
 * memory, add by restartable sequences, change the process's group by a signal
 * of libc's to all threads, fork children, and make threads that live for a
 * moment. The first one waits for the end of its input; then all look at what
 * they have done, and what was wrong is printed: "errors 0" unless somebody has
 * disturbed them.
 */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/programs/burn.h"
#include "tests/programs/rseq_add_x86_64.h"

enum { CPUS_MAX = 4096, BLOCKS = 64 };

static _Atomic bool is_over;
static _Atomic unsigned errors;
static volatile uint64_t sink;

static void check(bool is_right, const char *what)
{
    if (is_right)
        return;
    errors++;
    fprintf(stderr, "storm: %s (errno %d)\n", what, errno);
}

static void rest_ms(unsigned count)
{
    struct timespec pause = {.tv_nsec = (long)(count * NS_PER_MS)};
    (void)nanosleep(&pause, NULL); /* which setgid() ends early */
}

/* ---- the loader and the allocator ---- */

static void *run_loader(void *path)
{
    while (!is_over) {
        void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        check(library != NULL, "dlopen");
        sink += burn_ns(NS_PER_MS / 4);
        check(dlclose(library) == 0, "dlclose");
    }
    return NULL;
}

static void *run_allocator(void *unused)
{
    unsigned char *blocks[BLOCKS] = {NULL};
    size_t sizes[BLOCKS] = {0};
    uint64_t seed = (uintptr_t)&seed;
    while (!is_over) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        unsigned at = (seed >> 33) % BLOCKS;
        if (blocks[at] != NULL)
            check(blocks[at][sizes[at] - 1] == (unsigned char)at, "memory");
        free(blocks[at]);
        sizes[at] = 1 + (seed >> 40) % 200000;
        blocks[at] = malloc(sizes[at]);
        blocks[at][sizes[at] - 1] = (unsigned char)at;
        if (at == 0)
            rest_ms(1);
    }
    for (unsigned at = 0; at < BLOCKS; at++)
        free(blocks[at]);
    return unused;
}

/* ---- restartable sequences ---- */

static uint64_t counters[CPUS_MAX];
static _Atomic uint64_t added;

static void *run_adder(void *unused)
{
    uint64_t count = 0;
    while (!is_over && __rseq_size > 0) {
        for (unsigned i = 0; i < 1000; i++)
            count += rseq_add(counters);
        (void)sched_yield();
    }
    added += count;
    return unused;
}

static void check_sums(void)
{
    uint64_t sum = 0;
    for (unsigned cpu = 0; cpu < CPUS_MAX; cpu++)
        sum += counters[cpu];
    check(sum == added, "additions were lost");
}

/* ---- all threads at once, and other processes ---- */

static void *run_changer(void *unused)
{
    while (!is_over) {
        check(setgid(getgid()) == 0, "setgid");
        rest_ms(1);
    }
    return unused;
}

static void *run_forker(void *unused)
{
    while (!is_over) {
        int status = -1;
        pid_t child = fork();
        if (child == 0) {
            /* As much as it takes for a tick to come, if one could. */
            sink += burn_ns(2 * NS_PER_MS);
            _exit(raise(SIGURG) == 0 ? 7 : 8);
        }
        check(
            child > 0 && waitpid(child, &status, 0) == child &&
                WIFEXITED(status) && WEXITSTATUS(status) == 7,
            "a child ended wrongly");
        rest_ms(20);
    }
    return unused;
}

static void *pass(void *unused)
{
    sink += burn_ns(NS_PER_MS);
    return unused;
}

static void *run_maker(void *unused)
{
    while (!is_over) {
        pthread_t thread;
        check(pthread_create(&thread, NULL, pass, NULL) == 0, "a thread");
        check(pthread_join(thread, NULL) == 0, "join");
        rest_ms(3);
    }
    return unused;
}

int main(void)
{
    static const struct {
        void *(*run)(void *);
        const char *path;
    } parts[] = {
        {run_loader, RELOAD_FIRST_PATH},
        {run_loader, RELOAD_SECOND_PATH},
        {run_allocator, NULL},
        {run_allocator, NULL},
        {run_adder, NULL},
        {run_adder, NULL},
        {run_changer, NULL},
        {run_forker, NULL},
        {run_maker, NULL},
    };
    enum { COUNT = sizeof parts / sizeof parts[0] };
    pthread_t threads[COUNT];
    char byte;
    for (int i = 0; i < COUNT; i++)
        check(
            pthread_create(
                &threads[i], NULL, parts[i].run, (void *)parts[i].path) == 0,
            "a thread");
    ssize_t got;
    while ((got = read(0, &byte, 1)) != 0)
        check(got > 0, "read ended early");
    is_over = true;
    for (int i = 0; i < COUNT; i++)
        check(pthread_join(threads[i], NULL) == 0, "join");
    check_sums();
    printf("errors %u\n", (unsigned)errors);
    return 0;
}
