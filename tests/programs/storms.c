/*
 * What makes much work for who watches from outside: storms KIND COUNT.
 *
 *     maps       map and unmap executable memory
 *     threads    threads that end at once
 *     forks      processes that end at once
 *     execs      this process becomes itself, over and over
 *
 * Afterwards it burns a tenth of a second in after_storm(). "sleepers" makes
 * so many threads that sleep instead, and burns when its input ends.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/programs/burn.h"

enum { BURN_MS = 100, STACK_BYTES = 65536, MAPPED_BYTES = 8192 };

__attribute__((noipa)) static uint64_t after_storm(void)
{
    return burn_ns(BURN_MS * NS_PER_MS) + 1;
}

static void map(void)
{
    void *at = mmap(
        NULL, MAPPED_BYTES, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
        -1, 0);
    if (at != MAP_FAILED)
        (void)munmap(at, MAPPED_BYTES);
}

static void *end_at_once(void *argument)
{
    return argument;
}

static void *sleep_on(void *argument)
{
    (void)pause();
    return argument;
}

static void start(void *(*run)(void *), int is_awaited)
{
    pthread_t thread;
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, STACK_BYTES);
    if (pthread_create(&thread, &small, run, NULL) == 0 && is_awaited)
        pthread_join(thread, NULL);
}

static void fork_once(void)
{
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    (void)waitpid(child, NULL, 0);
}

static void exec_again(char *name, char *kind, int count)
{
    char left[16];
    char *words[] = {name, kind, left, NULL};
    (void)snprintf(left, sizeof left, "%d", count - 1);
    if (count > 0)
        (void)execv("/proc/self/exe", words);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    int count = atoi(argv[2]);
    if (strcmp(argv[1], "execs") == 0)
        exec_again(argv[0], argv[1], count);
    for (int i = 0; i < count; i++) {
        if (strcmp(argv[1], "maps") == 0)
            map();
        else if (strcmp(argv[1], "threads") == 0)
            start(end_at_once, 1);
        else if (strcmp(argv[1], "forks") == 0)
            fork_once();
        else if (strcmp(argv[1], "sleepers") == 0)
            start(sleep_on, 0);
    }
    if (strcmp(argv[1], "sleepers") == 0) {
        (void)puts("ready");
        (void)fflush(stdout);
        (void)getchar();
    }
    return after_storm() == 0;
}
