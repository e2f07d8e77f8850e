/*
 * What lives in a server, for somebody to attach to: lively.
 *
 * A thread that computes and sleeps in turn, under outer() -> middle() ->
 * steady(); one that makes threads that live for a moment, in passing(); one
 * that blocks all signals and looks for any that wait; and the first, which
 * reads its input, once all the others are at work, until that ends. Then it
 * prints what went wrong: signals that waited where nobody sends one, and reads
 * that ended early. The steady one and the deaf one bear names.
 *
 * Built for glibc and musl, dynamic and static: nothing here may depend on it.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "tests/programs/burn.h"

#define NOINLINE __attribute__((noinline, noclone))

/* Longer than it takes to find a new thread. */
enum { PASSING_MS = 250, KINDS = 3 };

static volatile uint64_t sink;
static _Atomic bool is_over;
static _Atomic unsigned waiting, early, at_work;

NOINLINE static void steady(void)
{
    sink += burn_until(thread_cpu_ns() + 6 * NS_PER_MS);
}

NOINLINE static void middle(void)
{
    steady();
    sink++;
}

NOINLINE static void outer(void)
{
    middle();
    sink++;
}

static void rest(uint64_t ns)
{
    struct timespec pause = {.tv_nsec = (long)ns};
    (void)nanosleep(&pause, NULL);
}

static void begin_work(const char *name)
{
    (void)prctl(PR_SET_NAME, name);
    at_work++;
}

static void *run_steady(void *unused)
{
    begin_work("lively-steady");
    while (!is_over) {
        outer();
        rest(2 * NS_PER_MS);
    }
    return unused;
}

NOINLINE static void *passing(void *unused)
{
    static _Atomic bool is_known;
    if (!is_known) {
        is_known = true;
        at_work++;
    }
    for (int i = 0; i < PASSING_MS && !is_over; i++)
        sink += burn_until(thread_cpu_ns() + NS_PER_MS);
    return unused;
}

static void *run_maker(void *unused)
{
    while (!is_over) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, passing, NULL) == 0)
            (void)pthread_join(thread, NULL);
        rest(5 * NS_PER_MS);
    }
    return unused;
}

static void *run_deaf(void *unused)
{
    sigset_t all, found, none;
    (void)sigfillset(&all);
    (void)sigemptyset(&none);
    (void)pthread_sigmask(SIG_BLOCK, &all, NULL);
    begin_work("lively-deaf");
    while (!is_over) {
        sink += burn_until(thread_cpu_ns() + NS_PER_MS);
        (void)sigemptyset(&found);
        if (sigpending(&found) != 0 || memcmp(&found, &none, 8) != 0)
            waiting++;
        rest(4 * NS_PER_MS);
    }
    return unused;
}

int main(void)
{
    static void *(*const runs[])(void *) = {run_steady, run_maker, run_deaf};
    pthread_t threads[KINDS];
    char byte;
    for (int i = 0; i < KINDS; i++) {
        if (pthread_create(&threads[i], NULL, runs[i], NULL) != 0)
            return 1;
    }
    while (at_work < KINDS)
        rest(NS_PER_MS);
    ssize_t got;
    while ((got = read(0, &byte, 1)) != 0)
        early += got < 0 && errno == EINTR;
    is_over = true;
    for (int i = 0; i < KINDS; i++)
        (void)pthread_join(threads[i], NULL);
    printf("waiting %u, early %u\n", (unsigned)waiting, (unsigned)early);
    return 0;
}
