/*
 * Two processes, or two threads, wake one another through pipes and sleep:
 * nearly all that they do is to be switched. They play until standard input
 * ends, and then ROUNDS more, of which the CPU time is told. All the while a
 * thread sleeps; it, and another that begins only then, compute when the game
 * is over. Threads play on two processors, where there are: on one, the kernel
 * would switch from one to the other, and stop no event. Processes play on one,
 * for to wake another processor may cost as much again, and not in every run.
 *
 *     ping_pong processes|threads ROUNDS
 */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/programs/burn.h"

enum { ROUNDS_A_LOOK = 64 };

static const uint64_t compute_ns = 200 * NS_PER_MS;
static int there[2], back[2], bell[2];

static void must(int is_well)
{
    if (!is_well)
        _exit(1);
}

/* On the processor `number` of those that we may run on, if there is one. */
static void go_to(int number)
{
    cpu_set_t allowed, one;
    must(sched_getaffinity(0, sizeof allowed, &allowed) == 0);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &allowed) || number-- > 0)
            continue;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        must(sched_setaffinity(0, sizeof one, &one) == 0);
        return;
    }
}

static void *answer(void *unused)
{
    char ball;
    (void)unused;
    while (read(there[0], &ball, 1) == 1 && ball != 0)
        must(write(back[1], &ball, 1) == 1);
    return NULL;
}

static void *answer_apart(void *unused)
{
    go_to(1);
    return answer(unused);
}

static void play(long rounds)
{
    char ball = 1;
    while (rounds-- > 0)
        must(write(there[1], &ball, 1) == 1 && read(back[0], &ball, 1) == 1);
}

static int is_input_open(void)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    return poll(&input, 1, 0) == 0;
}

__attribute__((noinline)) static void *compute_when_woken(void *unused)
{
    char note;
    (void)unused;
    must(read(bell[0], &note, 1) == 1);
    return (void *)(uintptr_t)burn_ns(compute_ns);
}

__attribute__((noinline)) static void *compute_as_new(void *unused)
{
    (void)unused;
    return (void *)(uintptr_t)burn_ns(compute_ns);
}

static void measure(long rounds)
{
    while (is_input_open())
        play(ROUNDS_A_LOOK);
    uint64_t start_ns = thread_cpu_ns();
    play(rounds);
    uint64_t used_ns = thread_cpu_ns() - start_ns;

    char end = 0;
    must(write(there[1], &end, 1) == 1);
    printf(
        "{\"round_ns\": %" PRIu64 ", \"compute_ns\": %" PRIu64 "}\n",
        used_ns / (uint64_t)rounds, compute_ns);
}

int main(int argc, char **argv)
{
    if (argc != 3 || pipe(there) < 0 || pipe(back) < 0 || pipe(bell) < 0)
        return 2;
    int is_apart = strcmp(argv[1], "processes") == 0;
    pid_t child = is_apart ? fork() : -1;
    if (child == 0) {
        must(close(there[1]) == 0); /* so that its end is seen */
        go_to(0);
        (void)answer(NULL);
        return 0;
    }
    pthread_t other, sleeper, late;
    must(is_apart || pthread_create(&other, NULL, answer_apart, NULL) == 0);
    must(pthread_create(&sleeper, NULL, compute_when_woken, NULL) == 0);
    go_to(0);
    measure(atol(argv[2]));
    must(write(bell[1], "", 1) == 1);
    must(pthread_create(&late, NULL, compute_as_new, NULL) == 0);
    must(pthread_join(sleeper, NULL) == 0 && pthread_join(late, NULL) == 0);
    int status = 0;
    must(
        is_apart ? waitpid(child, &status, 0) == child
                 : pthread_join(other, NULL) == 0);
    return status;
}
